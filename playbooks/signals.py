"""Two signals: findings from different sources whose entities are, by the alias table, one thing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import ip_address
from typing import Final, TypeAlias

Node: TypeAlias = tuple[str, str]
# What may carry a meeting. Namespaces, nodes, images, hosts, buckets are shared by the innocent.
CONNECTING: Final = frozenset(
    {
        "credential",
        "secret",
        "iam_principal",
        "access_key",
        "k8s_user",
        "service_account",
        "pod",
        "workload",
        "vault_entity",
        "vault_token",
        "address",
    }
)
MAX_HOPS: Final = 3
MAX_NODES: Final = 200


def connects(node: Node) -> bool:
    """Return whether a meeting at `node` says who did it: no shared place, no loopback address."""
    kind, name = node
    if kind not in CONNECTING or not name:
        return False
    if kind != "address":
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or address.is_multicast)


def reach(
    start: Iterable[Node],
    neighbours: Callable[[Sequence[Node]], Iterable[Node]],
    *,
    own: frozenset[Node] = frozenset(),
    hops: int = MAX_HOPS,
    limit: int = MAX_NODES,
) -> Mapping[Node, int]:
    """Return every thing within `hops` aliases of `start` and how many it took; at most `limit` things.

    `neighbours` gives the other names of several things, valid at the event's time. Davylamp's `own`
    identities carry nothing.
    """
    found: dict[Node, int] = {}
    edge = sorted({node for node in start if connects(node) and node not in own})[:limit]
    for distance in range(hops + 1):
        found.update(dict.fromkeys(edge, distance))
        if distance == hops or len(found) >= limit:
            break
        following = set(neighbours(edge))
        edge = sorted(n for n in following if n not in found and n not in own and connects(n))
        edge = edge[: limit - len(found)]
        if not edge:
            break
    return found
