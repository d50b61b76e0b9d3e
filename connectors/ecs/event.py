"""An event as a document of `logs-davylamp.events-*`."""

from __future__ import annotations

from connectors.ecs.stream import Document
from connectors.sources.catalogue import profile
from detectors.event import Event


def event_document(event: Event, namespace: str, ingested: float) -> Document:
    """Return the ECS document of `event`; `ingested` in seconds (UTC)."""
    return Document.of("events", event.event_id, profile(event.source).ecs(event), namespace, ingested)
