"""A dead letter as it is read again: headers back to fields, bounded, nothing of it trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from aiokafka.structs import TopicPartition

from connectors.kafka.batch import Record
from detectors.finding import rfc3339

_EXCERPT_BYTES: Final = 240
_HEADER_CHARS: Final = 512
_FIELDS: Final = ("reason", "role", "source", "target", "origin", "attempts", "detail")


class NotALetterError(ValueError):
    """A document that is no dead letter."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter. `at`: when it was written (seconds, UTC), `excerpt`: how its masked value begins."""

    reason: str
    role: str
    source: str
    target: str
    origin: str
    attempts: str
    detail: str
    at: float
    excerpt: str

    @classmethod
    def of(cls, record: Record) -> Letter:
        """Read a record of the dead letter topic. Raises nothing: what is missing is empty."""
        found = {
            name: value.decode("utf-8", "replace")[:_HEADER_CHARS] for name, value in record.headers or ()
        }
        excerpt = (record.value or b"")[:_EXCERPT_BYTES].decode("utf-8", "replace")
        return cls(*(found.get(name, "") for name in _FIELDS), at=record.timestamp / 1000, excerpt=excerpt)

    @classmethod
    def from_json(cls, document: object) -> Letter:
        """Read what `to_json` wrote; time and excerpt are of no use any more. Raises NotALetterError."""
        given = cast("Mapping[str, object]", document) if isinstance(document, dict) else {}
        if not all(isinstance(given.get(name), str) for name in _FIELDS):
            raise NotALetterError(f"a dead letter has the texts {', '.join(_FIELDS)}")
        return cls(*(str(given[name])[:_HEADER_CHARS] for name in _FIELDS), at=0.0, excerpt="")

    def to_json(self) -> dict[str, Any]:
        """Return the letter as `davylamp dlq show --json` prints it."""
        fields: dict[str, Any] = {name: getattr(self, name) for name in _FIELDS}
        return {"at": rfc3339(self.at), **fields, "excerpt": self.excerpt}

    @property
    def place(self) -> tuple[TopicPartition, int, int] | None:
        """Partition, offset and index of what it is about; None when its origin says none."""
        parts = self.origin.rsplit("/", 3)
        if len(parts) != 4 or not all(
            part.isascii() and part.isdigit() and len(part) < 19 for part in parts[1:]
        ):
            return None
        topic, partition, offset, index = parts
        return TopicPartition(topic, int(partition)), int(offset), int(index)
