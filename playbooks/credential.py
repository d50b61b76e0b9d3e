"""Which configured target an entity names: a database credential, or the secret path that serves it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from detectors.event import Entity
from playbooks.target import TargetRef

ROLES: Final = frozenset({"database_static_role", "database_dynamic_leases"})
"""The kinds whose targets are a role of a mount, by mount and name."""


class Credential(NamedTuple):
    """A static role of a vault mount; `mount` may have slashes inside, never at its ends."""

    mount: str
    name: str


def parse_credential(kind: str, entity_id: str) -> Credential | None:
    """Read ``database:MOUNT/ROLE`` (type credential) or ``MOUNT/static-creds/ROLE`` (type secret)."""
    if kind == "credential" and entity_id.startswith("database:"):
        mount, slash, name = entity_id.removeprefix("database:").rpartition("/")
    elif kind == "secret":
        mount, slash, name = entity_id.strip("/").rpartition("/static-creds/")
    else:
        return None
    return Credential(mount, name) if slash and mount and name and "/" not in name else None


def targets_named(entities: Iterable[Entity], targets: Iterable[TargetRef]) -> list[TargetRef]:
    """Return the configured targets that serve the credentials of `entities`, in the order of `targets`."""
    entities = tuple(entities)
    named = {parse_credential(entity.type, entity.id) for entity in entities}
    told = {(entity.type, entity.id) for entity in entities if entity.type in ("credential", "secret")}
    return [
        target
        for target in targets
        if (target.kind in ROLES and Credential(target.mount.strip("/"), target.name) in named)
        or not told.isdisjoint(target.named_as)
    ]


def names_credential(entities: Iterable[Entity]) -> bool:
    """Return whether any entity names a role's credential of a vault, configured as a target or not."""
    return any(parse_credential(entity.type, entity.id) is not None for entity in entities)
