"""One exception: rules, entities, whose word it is, and the event times for which it holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

from detectors.event import Entity

IDENTITIES: Final = frozenset(
    {
        "credential",
        "iam_principal",
        "access_key",
        "k8s_user",
        "service_account",
        "vault_entity",
        "vault_token",
    }
)
"""Entity types that say who somebody is."""
PRINCIPALS: Final = frozenset({"iam_principal", "k8s_user", "service_account", "vault_entity"})
"""Those of them that an exception names for a person, an account or a workload; keys and tokens change."""
Network: TypeAlias = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Matcher:
    """Entities of a type whose id is one of `ids`: exact, with `*` and `?`, or a network for an address.

    Letters count as they are written. `role` None means any role.
    """

    type: str
    ids: tuple[str, ...]
    role: str | None = None
    _test: Callable[[str], bool] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the ids."""
        object.__setattr__(self, "_test", _test_of(self.type, self.ids))

    @property
    def exact(self) -> bool:
        """Whether every id stands for one thing."""
        return not any(is_pattern(self.type, one) for one in self.ids)

    def means(self, entity: Entity) -> bool:
        """Return whether an entity is of this matcher's type and role, whoever it is."""
        return entity.type == self.type and (self.role is None or entity.role == self.role)

    def covers(self, entities: Sequence[Entity]) -> bool:
        """Return whether there is an entity of this type and role, and every one of them is named here."""
        meant = [entity.id for entity in entities if self.means(entity)]
        return bool(meant) and all(map(self._test, meant))


@dataclass(frozen=True, slots=True)
class Exemption:
    """One entry of the file. `rules` None: all rules. `start` and `end` are event times in seconds (UTC).

    It holds from `start` on and before `end`. `place` is ``file:line``.
    """

    name: str
    rules: frozenset[str] | None
    matchers: tuple[Matcher, ...]
    owner: str
    reason: str
    ticket: str
    start: float
    end: float
    place: str = ""

    @property
    def precise(self) -> bool:
        """Whether it names its rules, and by no pattern: only then it may speak of critical findings."""
        return self.rules is not None and all(matcher.exact for matcher in self.matchers)


def is_pattern(kind: str, text: str) -> bool:
    """Return whether an id stands for several things: a wildcard, or a network of several addresses."""
    if "*" in text or "?" in text:
        return True
    known = network(text) if kind == "address" else None
    return known is not None and known.num_addresses > 1


def network(text: str) -> Network | None:
    """Return a network or a single address; None for what is neither."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _test_of(kind: str, ids: Sequence[str]) -> Callable[[str], bool]:
    networks = [known for one in ids if kind == "address" and (known := network(one)) is not None]
    wild = [one for one in ids if "*" in one or "?" in one]
    plain = frozenset(ids) - set(wild)
    pattern = re.compile("|".join(map(_regex, wild)), re.DOTALL) if wild else None

    def test(text: str) -> bool:
        if text in plain or (pattern is not None and pattern.fullmatch(text) is not None):
            return True
        return bool(networks) and any(_inside(text, known) for known in networks)

    return test


def _regex(wild: str) -> str:
    """Return a glob as an expression in which runs of `*` are one: nothing to backtrack over."""
    parts = re.split(r"(\*+|\?)", wild)
    return "".join(".*" if p.startswith("*") else "." if p == "?" else re.escape(p) for p in parts if p)


def _inside(text: str, known: Network) -> bool:
    address = _address(text)
    return address is not None and address in known


@lru_cache(maxsize=4096)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
