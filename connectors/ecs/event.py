"""An event as a document of `logs-davylamp.events-*`."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import orjson

from connectors.ecs.moment import moment
from connectors.ecs.stream import Document
from connectors.sources.catalogue import SOURCES
from detectors.event import Event

_STREAM: Final = "events"


def event_document(event: Event, namespace: str, ingested: float) -> Document:
    """Return the ECS document of `event`; `ingested` in seconds (UTC)."""
    body = SOURCES[event.profile.kind].ecs(event)
    body["event"]["ingested"] = moment(ingested)
    body["data_stream"] = _place(namespace)
    return Document(_STREAM, body["event"]["id"], body, orjson.dumps(body))


@lru_cache(maxsize=16)
def _place(namespace: str) -> dict[str, str]:
    return {"type": "logs", "dataset": f"davylamp.{_STREAM}", "namespace": namespace}
