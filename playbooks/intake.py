"""A finding as it may be kept: every text bounded, every name one that a database can hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, cast, get_args

from msgspec.structs import replace

from detectors.event import Alias, Entity, EntityRole, EntityType
from detectors.finding import Finding
from detectors.identifier import derive
from playbooks.incident import bounded_id

MAX_ENTITIES: Final = 64
MAX_EVENTS: Final = 1000
ALIAS_RULE: Final = "davylamp-alias"
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_TYPES: Final = frozenset[str](get_args(EntityType))
_ROLES: Final = frozenset[str](get_args(EntityRole))


def bounded(finding: Finding) -> Finding:
    """Return `finding` with every text and list bounded; entities of unknown type or role are left out.

    A finding id that is not a UUID is replaced by one derived from it, so that it still names one thing.
    """
    known = [e for e in finding.entities if e.type in _TYPES and e.role in _ROLES][:MAX_ENTITIES]
    good = _UUID.match(finding.finding_id)
    return replace(
        finding,
        finding_id=finding.finding_id if good else derive("finding", finding.finding_id),
        rule_id=bounded_id(finding.rule_id, 64),
        source=bounded_id(finding.source, 32),
        title=finding.title[:200],
        explain=finding.explain[:2000],
        event_id=finding.event_id[:256],
        event_ids=tuple(event_id[:256] for event_id in finding.event_ids[:MAX_EVENTS]),
        entities=tuple(Entity(e.type, bounded_id(e.id), e.role) for e in known),
        attack=tuple(tag[:32] for tag in finding.attack[:64]),
    )


def alias_of(finding: Finding) -> Alias | None:
    """Return the alias that a finding of rule `davylamp-alias` states, or None when it states none."""
    labels = finding.labels
    if finding.rule_id != ALIAS_RULE:
        return None
    a, b = _node(labels, "a"), _node(labels, "b")
    return Alias(a, b, finding.event_time) if a and b and a != b else None


def _node(labels: Mapping[str, str], side: str) -> tuple[EntityType, str] | None:
    kind, name = labels.get(f"{side}_type", ""), labels.get(f"{side}_id", "")
    return (cast(EntityType, kind), bounded_id(name)) if kind in _TYPES and name else None
