"""Which names mean one thing, and when: learned from events, never forgotten, closed when a name moves on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, or_, select, tuple_, update

from connectors.store.schema import aliases
from detectors.event import Alias
from playbooks.risk_actor import ACTS_FOR, MAX_STEPS, is_shared
from playbooks.signals import Node

# An address belongs to one pod at a time: a new pod there closes the old alias.
_EXCLUSIVE: Final = frozenset({("address", "pod")})
_MAX_NEIGHBOURS: Final = 200


def learn(connection: Connection, alias: Alias) -> bool:
    """Keep an alias; return False when it says nothing new. The order of arrival does not matter.

    Of an exclusive alias every sighting is a row, so that a late one of another owner finds its place;
    of any other only the earliest.
    """
    a, b = _ordered(alias)
    at = alias.valid_from
    exclusive = (a[0], b[0]) in _EXCLUSIVE
    known = list(connection.execute(select(aliases.c.valid_from).where(_same(a, b))).scalars())
    if at in known or (not exclusive and any(start <= at for start in known)):
        return False
    if not exclusive:
        connection.execute(delete(aliases).where(_same(a, b)))
    end = _next_owner(connection, a, b, at) if exclusive else None
    row = {"a_type": a[0], "a_id": a[1], "b_type": b[0], "b_id": b[1], "valid_from": at, "valid_to": end}
    connection.execute(insert(aliases).values(row))
    if exclusive:
        _close_former(connection, a, b, at)
    return True


def neighbours_at(connection: Connection, at: float, skew_s: float) -> Callable[[Sequence[Node]], list[Node]]:
    """Return a function: what were these things also called at `at` (seconds, UTC), give or take the skew?

    It answers the most recent 400 names at most.
    """
    a, b = (aliases.c.a_type, aliases.c.a_id), (aliases.c.b_type, aliases.c.b_id)
    valid = and_(
        aliases.c.valid_from <= at + skew_s,
        or_(aliases.c.valid_to.is_(None), aliases.c.valid_to > at - skew_s),
    )

    def neighbours(nodes: Sequence[Node]) -> list[Node]:
        found: set[Node] = set()
        for here, there in ((a, b), (b, a)):
            query = (
                select(*there)
                .where(tuple_(*here).in_(list(nodes)), valid)
                .order_by(aliases.c.valid_from.desc(), *there)
                .limit(_MAX_NEIGHBOURS)
            )
            found.update((kind, name) for kind, name in connection.execute(query).all())
        return sorted(found)

    return neighbours


def owners_at(
    connection: Connection, at: float, skew_s: float, known: dict[Node, list[Node]] | None = None
) -> Callable[[Node], list[Node]]:
    """Return a function: what does this name act for at `at` (seconds, UTC)? Two names at most.

    `known` remembers answers that do not hang on the time; it is good for one transaction.

    Only an address changes hands; every other alias holds for good, so that a name that two acted through
    stays one that tells nothing.
    """
    a, b = (aliases.c.a_type, aliases.c.a_id), (aliases.c.b_type, aliases.c.b_id)

    remembered: dict[Node, list[Node]] = {} if known is None else known

    def owners(node: Node) -> list[Node]:
        if node in remembered:
            return remembered[node]
        found: set[Node] = set()
        for here, there in ((a, b), (b, a)):
            types = sorted(ACTS_FOR.get(node[0], ()))
            if here is b and node[0] in types:
                types.remove(node[0])  # of two names of one type the first acts for the second
            if not types:
                continue
            query = select(*there).where(_is(here, node), there[0].in_(types))
            if node[0] == "address":
                query = query.where(*_between(at - skew_s, at + skew_s))
            found.update((kind, name) for kind, name in connection.execute(query.distinct().limit(2)))
        if node[0] != "address":
            remembered[node] = sorted(found)
        return sorted(found)

    return owners


def names_behind(connection: Connection, root: Node, since: float, until: float, limit: int) -> set[Node]:
    """Return `root` and the names that act for it, directly or not; addresses held between the times.

    At most `limit`, the most recently learned first.
    """
    a, b = (aliases.c.a_type, aliases.c.a_id), (aliases.c.b_type, aliases.c.b_id)
    found, edge = {root}, [root]
    for _ in range(MAX_STEPS):
        following: set[Node] = set()
        for kind, above in _by_type(edge).items():
            children = sorted(child for child, parents in ACTS_FOR.items() if kind in parents)
            for here, there in ((a, b), (b, a)):
                types = [child for child in children if here is b or child != kind]
                if not types:
                    continue
                query = select(*there).where(
                    tuple_(*here).in_(above),
                    there[0].in_(types),
                    or_(there[0] != "address", and_(*_between(since, until))),
                )
                query = query.order_by(aliases.c.valid_from.desc(), *there).limit(limit)
                following.update((child, name) for child, name in connection.execute(query))
        edge = sorted(following - found)[: limit - len(found)]
        if not edge:
            break
        found.update(edge)
    return found


def _by_type(nodes: Sequence[Node]) -> dict[str, list[Node]]:
    found: dict[str, list[Node]] = {}
    for node in nodes:
        if not is_shared(node):
            found.setdefault(node[0], []).append(node)
    return found


def _between(since: float, until: float) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    ends = or_(aliases.c.valid_to.is_(None), aliases.c.valid_to > since)
    return aliases.c.valid_from <= until, ends


def _is(columns: Sequence[ColumnElement[str]], node: Node) -> ColumnElement[bool]:
    return and_(columns[0] == node[0], columns[1] == node[1])


def _ordered(alias: Alias) -> tuple[Node, Node]:
    """One order for a pair, however it is stated; who acts for whom of two principals is in theirs."""
    if alias.a[0] == alias.b[0] == "iam_principal":
        return alias.a, alias.b
    a, b = sorted((alias.a, alias.b))
    return a, b


def _same(a: Node, b: Node) -> ColumnElement[bool]:
    return and_(
        aliases.c.a_type == a[0], aliases.c.a_id == a[1], aliases.c.b_type == b[0], aliases.c.b_id == b[1]
    )


def _next_owner(connection: Connection, a: Node, b: Node, at: float) -> float | None:
    """Return when another pod took the address after `at`, if one did."""
    return connection.execute(
        select(aliases.c.valid_from)
        .where(
            aliases.c.a_type == a[0],
            aliases.c.a_id == a[1],
            aliases.c.b_type == b[0],
            aliases.c.b_id != b[1],
            aliases.c.valid_from > at,
        )
        .order_by(aliases.c.valid_from)
        .limit(1)
    ).scalar()


def _close_former(connection: Connection, a: Node, b: Node, at: float) -> None:
    connection.execute(
        update(aliases)
        .where(
            aliases.c.a_type == a[0],
            aliases.c.a_id == a[1],
            aliases.c.b_type == b[0],
            aliases.c.b_id != b[1],
            aliases.c.valid_from < at,
            or_(aliases.c.valid_to.is_(None), aliases.c.valid_to > at),
        )
        .values(valid_to=at)
    )
