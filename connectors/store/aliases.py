"""Which names mean one thing, and when: learned from events, never forgotten, closed when a name moves on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, or_, select, tuple_, update

from connectors.store.schema import aliases
from detectors.event import Alias
from playbooks.signals import Node

# An address belongs to one pod at a time: a new pod there closes the old alias.
_EXCLUSIVE: Final = frozenset({("address", "pod")})
_MAX_NEIGHBOURS: Final = 200


def learn(connection: Connection, alias: Alias) -> bool:
    """Keep an alias; return False when it says nothing new. The order of arrival does not matter.

    Of an exclusive alias every sighting is a row, so that a late one of another owner finds its place;
    of any other only the earliest.
    """
    a, b = sorted((alias.a, alias.b))
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
