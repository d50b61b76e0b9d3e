"""What the entities of a finding lead to: configured targets, one credential of them, or what is missing.

Nothing is guessed: an entity that fits no target, or several, is told with the setting that would help. The
ids come from events, so whoever wrote the event chose them: `playbooks.target.instance_of` refuses the rest.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from detectors.event import Entity
from playbooks.credential import names_credential, targets_named
from playbooks.page import plain
from playbooks.target import TargetRef, instance_of

MAX_TARGETS: Final = 8
MAX_LINES: Final = 8
_SHOWN: Final = 80
_USER_ARN: Final = re.compile(r"arn:[a-z-]{1,20}:iam::\d{12}:user/")
_ROLE_ARN: Final = re.compile(
    r"arn:[a-z-]{1,20}:(?:iam|sts)::(\d{12}):"
    r"(?:role/(?:[A-Za-z0-9+=,.@_-]+/)*|assumed-role/)([A-Za-z0-9+=,.@_-]{1,64})(?:/[^/]{1,64})?\Z"
)
_SESSION: Final = ":assumed-role/"


@dataclass(frozen=True, slots=True)
class Named:
    """The targets, each once, at most `MAX_TARGETS`; and what could not be mapped, at most `MAX_LINES`."""

    targets: tuple[TargetRef, ...] = ()
    missing: tuple[str, ...] = ()


class _Missing(Exception):
    """Why an entity leads to no target."""


NOTHING: Final = Named()


def targets_for(
    entities: Sequence[Entity], targets: Sequence[TargetRef], own: Collection[tuple[str, str]] = ()
) -> Named:
    """Return what `entities` lead to. `own` are Davylamp's own (type, id): never a target."""
    found = {target.key: target for target in targets_named(entities, targets)}
    missing: dict[str, None] = {}
    for entity in entities:
        try:
            if (entity.type, entity.id) in own:
                raise _Missing("is Davylamp's own and is never acted on")
            found |= {target.key: target for target in _reached(entity, entities, targets)}
        except _Missing as reason:
            missing[f"{entity.type} {plain(entity.id)[:_SHOWN]} {reason}"] = None
    lines = list(missing)
    if len(found) > MAX_TARGETS:
        lines.insert(0, f"{len(found) - MAX_TARGETS} of {len(found)} targets are left out: too many")
    return Named(tuple(found.values())[:MAX_TARGETS], tuple(lines[:MAX_LINES]))


def _reached(entity: Entity, entities: Sequence[Entity], targets: Sequence[TargetRef]) -> list[TargetRef]:
    """Return the targets of one entity that is no credential of a role. Raises _Missing."""
    if entity.type == "vault_token":
        return [_token(entity.id, targets)]
    if entity.type == "vault_entity":
        exact = [t for t in targets if t.kind == "vault_entity" and t.name == entity.id]
        return _some(entity, [*exact, *_called(entity.type, entity.id, targets)], "vault_entity")
    if entity.type == "service_account":
        namespace, _, name = entity.id.partition("/")
        kind = "kubernetes_service_account"
        exact = [t for t in targets if (t.kind, t.mount, t.name) == (kind, namespace, name)]
        return _some(entity, [*exact, *_called(entity.type, entity.id, targets)], kind)
    if entity.type == "access_key":
        return _key(entity, entities, targets)
    if entity.type == "iam_principal" and entity.role == "actor":
        return _sessions(entity.id, targets)
    if entity.type in ("credential", "secret") and names_credential([entity]):
        kind = "database_static_role or database_dynamic_leases"
        return _some(entity, targets_named([entity], targets), kind)
    return []


def _called(kind: str, name: str, targets: Sequence[TargetRef]) -> list[TargetRef]:
    return [target for target in targets if (kind, name) in target.named_as]


def _some(entity: Entity, found: Sequence[TargetRef], kind: str) -> list[TargetRef]:
    if not found:
        raise _Missing(f"has no target of kind {kind} in response.targets")
    return list(found)


def _token(accessor: str, targets: Sequence[TargetRef]) -> TargetRef:
    known = [target for target in targets if target.kind == "vault_token"]
    if len(known) != 1:
        words = "fits several targets" if known else "has no target"
        raise _Missing(f"{words} of kind vault_token in response.targets")
    try:
        return instance_of(known[0], accessor)
    except ValueError as error:
        raise _Missing("is not the accessor of a token") from error


def _key(key: Entity, entities: Sequence[Entity], targets: Sequence[TargetRef]) -> list[TargetRef]:
    """Return the targets of the user that the finding names in the same role as the key."""
    beside = [e.id for e in entities if e.type == "iam_principal" and e.role == key.role]
    users = [name for name in beside if _USER_ARN.match(name)]
    if any(_ROLE_ARN.match(name) for name in beside):
        return []  # A key of a role's session: the role is what can be acted on.
    if not users:
        raise _Missing("names no IAM user, so no target of kind aws_iam_access_key")
    return _some(
        key, [t for user in users for t in _called("iam_principal", user, targets)], "aws_iam_access_key"
    )


def _sessions(arn: str, targets: Sequence[TargetRef]) -> list[TargetRef]:
    """Return the target of a role's sessions. Only a session's own ARN asks for one that is not there."""
    match = _ROLE_ARN.match(arn)
    if match is None:
        return []
    found = _called("iam_role", f"{match[1]}/{match[2]}", targets)
    if not found and _SESSION in arn:
        raise _Missing("has no target of kind aws_role_sessions with that role and account_id")
    return found
