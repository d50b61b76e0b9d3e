"""The deny list: what is never acted on. A refusal names the entry."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from playbooks.target import TargetRef

_CLUSTER: Final = ("kubernetes_", "network_", "mesh_")
OWN_IDENTITY: Final = "own identity in the vault"


@dataclass(frozen=True, slots=True)
class Denial:
    """One entry. `targets` are keys where `*` stands for anything; `logins` are in lower case (casefold)."""

    name: str
    targets: tuple[str, ...] = ()
    entities: frozenset[tuple[str, str]] = frozenset()
    logins: frozenset[str] = frozenset()

    def holds(self, target: TargetRef) -> bool:
        """Return whether the entry names `target`, by key, as an entity, or by who logs in with it."""
        keys = {target.key, target.base_key}
        if any(_like(key, pattern) for key in keys for pattern in self.targets):
            return True
        return not self.entities.isdisjoint(names_of(target)) or target.login.casefold() in self.logins


def denial_of(
    target: TargetRef, entries: Sequence[Denial], own: Collection[tuple[str, str]] = ()
) -> str | None:
    """Return the name of the entry that forbids `target`, or None. `own`: Davylamp's own (type, id)."""
    if not names_of(target).isdisjoint(own):
        return OWN_IDENTITY
    return next((entry.name for entry in entries if entry.holds(target)), None)


def names_of(target: TargetRef) -> frozenset[tuple[str, str]]:
    """Return the entities (type, id) that a target is, or lies in."""
    found = set(target.named_as)
    if target.kind.startswith(_CLUSTER):
        found.add(("namespace", target.mount))
        for name in (target.name, target.base):
            found |= {(kind, f"{target.mount}/{name}") for kind in ("workload", "service_account")}
    if target.kind == "vault_entity":
        found.add(("vault_entity", target.base))
    if target.kind == "vault_token" and target.instance:
        found.add(("vault_token", target.instance))
    return frozenset(found)


def _like(key: str, pattern: str) -> bool:
    """Return whether `key` fits: only `*` has a meaning, and letters have one case."""
    return fnmatchcase(key, pattern.replace("[", "[[]").replace("?", "[?]"))
