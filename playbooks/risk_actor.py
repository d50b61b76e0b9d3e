"""Whose risk a finding adds to: the one actor behind the names in it, over what each name acts for.

A pod acts for its service account, a role session for who assumed it, a temporary key for who asked for it,
a Vault token for its entity, that for its service account. The walk goes only that way and only where there
is one answer: a name that two act through (a session name used twice, a shared Kubernetes user) is nobody's,
and places (networks, nodes, roles, default service accounts) are never walked over, so that no two actors
become one through something that both use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from playbooks.signals import Node

Named: TypeAlias = tuple[str, str, str]
"""Type, id and role of an entity of a finding."""
Owners: TypeAlias = Callable[[Node], Sequence[Node]]
"""What a name acts for, at the time of the finding; two are enough when there are more."""

ACTS_FOR: Final[Mapping[str, frozenset[str]]] = {
    "address": frozenset({"pod"}),
    "pod": frozenset({"service_account"}),
    "vault_token": frozenset({"iam_principal"}),
    "vault_entity": frozenset({"service_account"}),
    "access_key": frozenset({"iam_principal", "service_account"}),
    "k8s_user": frozenset({"iam_principal"}),
    "iam_principal": frozenset({"iam_principal", "service_account"}),
}
MAX_STEPS: Final = 8
_CREDENTIALS_FIRST: Final = (
    "access_key",
    "vault_token",
    "pod",
    "vault_entity",
    "k8s_user",
    "iam_principal",
    "service_account",
    "workload",
    "address",
)
"""The order in which names are asked: what only one can hold comes before what anybody may choose."""
_NAMES_FIRST: Final = (
    "service_account",
    "iam_principal",
    "k8s_user",
    "vault_entity",
    "workload",
    "pod",
    "vault_token",
    "access_key",
)
"""The order in which an actor is named when nothing is known to stand behind any of its names."""
_PERSON: Final = "arn:aws:identitystore:"
_NOBODY: Final = frozenset({"system:anonymous", "system:unauthenticated"})


def is_shared(node: Node) -> bool:
    """Return whether many act under this name by its very form."""
    kind, name = node
    if kind == "service_account":
        return name.endswith("/default")
    if kind == "k8s_user":
        return name in _NOBODY
    if kind == "iam_principal":
        person = ":user/" in name or name.startswith(_PERSON)
        return not person and (":role/" in name or name.endswith(".amazonaws.com") or name.isdigit())
    return kind not in ACTS_FOR and kind not in _NAMES_FIRST


def names_of(entities: Iterable[Named], own: frozenset[Node] = frozenset()) -> Sequence[Node]:
    """Return the names under which a finding's actor acted, addresses also as sources; none for `own`."""
    acting = {
        (kind, name)
        for kind, name, role in entities
        if name
        and kind in _CREDENTIALS_FIRST
        and (role == "actor" or (role == "source" and kind == "address"))
    }
    if acting & own:
        return []
    return sorted(acting, key=lambda node: (_CREDENTIALS_FIRST.index(node[0]), node[1]))


def actor(names: Sequence[Node], owners: Owners) -> Node | None:
    """Return whose risk it is, None when the names only tell of places.

    The first name behind which somebody stands decides; else the most telling name itself.
    """
    for node in names:
        found = root(node, owners)
        if found != node:
            return found
    plain = [node for node in names if node[0] in _NAMES_FIRST]
    telling = [node for node in plain if not is_shared(node)]
    alone = [node for node in plain if node[0] == "service_account"]
    ordered = sorted(telling or alone, key=_telling)
    return ordered[0] if ordered else None


def root(node: Node, owners: Owners) -> Node:
    """Return who stands behind a name, itself when nobody is known to.

    Names that act for each other in a ring give the least of them.
    """
    way = [node]
    while len(way) <= MAX_STEPS and not is_shared(way[-1]):
        allowed = ACTS_FOR.get(way[-1][0], frozenset[str]())
        behind = [other for other in owners(way[-1]) if other[0] in allowed] if allowed else []
        if len(behind) != 1 or is_shared(behind[0]):
            break
        if behind[0] in way:
            return min(way[way.index(behind[0]) :])
        way.append(behind[0])
    return way[-1]


def _telling(node: Node) -> tuple[bool, int, str]:
    kind, name = node
    return not name.startswith(_PERSON), _NAMES_FIRST.index(kind), name
