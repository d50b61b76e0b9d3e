"""One document on its way to a data stream `logs-davylamp.STREAM-NAMESPACE`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import orjson

from detectors.finding import rfc3339

Stream: TypeAlias = Literal["events", "alerts", "incidents", "audit"]
STREAMS: Final[tuple[Stream, ...]] = ("events", "alerts", "incidents", "audit")


class Document(NamedTuple):
    """A finished document. `id` is the derived id; `payload` is `body` as one line of JSON, no newline.

    Make it with `Document.of`, so that body and payload agree.
    """

    stream: Stream
    id: str
    body: Mapping[str, Any]
    payload: bytes

    @property
    def size(self) -> int:
        """Bytes of the JSON text."""
        return len(self.payload)

    @classmethod
    def of(
        cls, stream: Stream, ident: str, body: Mapping[str, Any], namespace: str, ingested: float
    ) -> Document:
        """Return the document with data_stream fields and event.ingested (seconds, UTC) set."""
        event = {**body.get("event", {}), "ingested": rfc3339(ingested)}
        place = {"type": "logs", "dataset": f"davylamp.{stream}", "namespace": namespace}
        whole = {**body, "event": event, "data_stream": place}
        return cls(stream, ident, whole, orjson.dumps(whole))


def data_stream(stream: Stream, namespace: str) -> str:
    """Return the data stream's name. Dataset and namespace hold no hyphen (the settings check it)."""
    return f"logs-davylamp.{stream}-{namespace}"
