"""Which configured target an entity names: a database credential, or the secret path that serves it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from detectors.event import Entity
from playbooks.target import TargetRef


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
    """Return the configured targets that `entities` name, in the order of `targets`, each once."""
    named = {parse_credential(entity.type, entity.id) for entity in entities}
    return [target for target in targets if Credential(target.mount.strip("/"), target.name) in named]


def names_credential(entities: Iterable[Entity]) -> bool:
    """Return whether any entity names a credential of a vault, configured as a target or not."""
    return any(parse_credential(entity.type, entity.id) is not None for entity in entities)
