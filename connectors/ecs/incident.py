"""The latest state of an incident (`davylamp.incident/1`) as a document of `logs-davylamp.incidents-*`.

Data streams are append-only: every state is a new document with the same `event.id` and a rising
`event.sequence`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from connectors.ecs.attack import threat
from connectors.ecs.document import Ecs
from connectors.ecs.entities import put_entities
from connectors.ecs.finding import SEVERITY
from connectors.ecs.redaction import redact
from connectors.ecs.stream import Document
from connectors.sources.untrusted import integer_at, list_at, object_at, text_at
from detectors.event import Entity
from detectors.finding import parse_rfc3339
from detectors.level import Level


class NotAnIncidentError(ValueError):
    """The object is no `davylamp.incident/1`; the message names the key."""


def incident_document(incident: Mapping[str, Any], namespace: str, ingested: float) -> Document:
    """Return the document of this state; its id is the incident id and version. Raises NotAnIncidentError."""
    number, version = text_at(incident, "incident_id"), integer_at(incident, "version")
    opened, last = text_at(incident, "opened_at"), text_at(incident, "last_event_at")
    if number is None or version is None or opened is None or last is None:
        raise NotAnIncidentError("incident_id, version, opened_at and last_event_at are needed")
    changed = max(filter(None, (text_at(incident, key) for key in _TIMES)), default=opened)
    try:
        at = parse_rfc3339(changed)
    except ValueError as error:
        raise NotAnIncidentError("a time is not RFC 3339") from error
    ecs = Ecs(at, "event", "davylamp.incidents", "davylamp", number)
    ecs.put_all(
        (
            ("message", text_at(incident, "title")),
            ("tags", ["davylamp", "incident"]),
            ("event.category", ["intrusion_detection"]),
            ("event.type", ["info"]),
            ("event.action", f"incident-{incident.get('status')}"),
            ("event.sequence", version),
            ("event.severity", SEVERITY.get(cast(Level, text_at(incident, "level")))),
            ("event.created", opened),
            ("event.start", text_at(incident, "first_event_at")),
            ("event.end", last),
            ("threat", threat(text for text in list_at(incident, "attack") if isinstance(text, str))),
            ("observer.vendor", "Davylamp"),
            ("observer.product", "davylamp"),
        )
    )
    put_entities(ecs, [found for item in list_at(incident, "entities")[:100] if (found := _entity(item))])
    ecs.put("davylamp.incident", {"id": number, **{key: incident.get(key) for key in _KEPT}})
    ecs.put("davylamp.playbook", object_at(incident, "playbook"))
    ecs.put("davylamp.evidence", list_at(incident, "finding_ids")[:500])
    ecs.put("davylamp.actions", list_at(incident, "actions")[:100])
    return Document.of("incidents", f"{number}/{version}", redact(ecs.finish()), namespace, ingested)


_TIMES = ("opened_at", "acked_at", "contained_at", "recovered_at", "closed_at", "last_event_at")
_KEPT = (
    "number",
    "key",
    "status",
    "level",
    "owner",
    "stale",
    "close_reason",
    "parent_id",
    "primary",
    *_TIMES,
)


def _entity(item: Any) -> Entity | None:
    kind, name, role = (text_at(item, key) for key in ("type", "id", "role"))
    return Entity(cast(Any, kind), name, cast(Any, role)) if kind and name and role else None
