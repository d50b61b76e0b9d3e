"""A finding: what a detector says, as the one JSON object of `davylamp.finding/1`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, Literal, TypeAlias, cast

from msgspec import Struct, field

from detectors.event import Entity, EntityRole, EntityType, Fields, Json, SourceKind
from detectors.identifier import derive
from detectors.level import Level, parse_level

SCHEMA: Final = "davylamp.finding/1"
Status: TypeAlias = Literal["provisional", "final"]


class FindingFormatError(ValueError):
    """A record is not a `davylamp.finding/1` object; the message names the key."""


def rfc3339(seconds: float) -> str:
    """Return `seconds` since the epoch as RFC 3339 UTC with milliseconds.

    Raises ValueError, OverflowError or OSError outside the years 1 to 9999, and for what is not finite.
    """
    minute, milliseconds = divmod(round(seconds * 1000), 60_000)
    return f"{_minute(minute)}{milliseconds / 1000:06.3f}Z"


@lru_cache(maxsize=1024)
def _minute(number: int) -> str:
    """Return the text of a minute since the epoch, up to its seconds: the events of a time share it."""
    return datetime.fromtimestamp(number * 60, UTC).isoformat()[:17]


def parse_rfc3339(text: str) -> float:
    """Return seconds since the epoch. Raises ValueError on anything but an RFC 3339 time with an offset."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"time {text!r} has no offset")
    return at.timestamp()


def finding_id(rule_id: str, rule_version: int, event_ids: Sequence[str]) -> str:
    """Return the id of a finding: rule, major version of the rule, sorted event ids."""
    return derive("finding", rule_id, str(rule_version), *sorted(event_ids))


class Finding(Struct, gc=False, frozen=True):
    """One finding. Times are seconds since the epoch, UTC; `entities` has the primary one first."""

    rule_id: str
    title: str
    level: Level
    base_level: Level
    status: Status
    source: SourceKind
    event_id: str
    event_ids: tuple[str, ...]
    event_time: float
    first_time: float
    last_time: float
    count: int
    entities: tuple[Entity, ...]
    attack: tuple[str, ...]
    explain: str
    finding_id: str
    confirms: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict[str, str])

    def to_json(self) -> Fields:
        """Return the object of contract `davylamp.finding/1`."""
        at = rfc3339(self.event_time)
        document: Fields = {
            "schema": SCHEMA,
            "finding_id": self.finding_id,
            "rule_id": self.rule_id,
            "title": self.title,
            "level": self.level,
            "base_level": self.base_level,
            "status": self.status,
            "source": self.source,
            "event_id": self.event_id,
            "event_ids": list(self.event_ids),
            "event_time": at,
            "first_time": at if self.first_time == self.event_time else rfc3339(self.first_time),
            "last_time": at if self.last_time == self.event_time else rfc3339(self.last_time),
            "count": self.count,
            "entities": [{"type": kind, "id": name, "role": role} for kind, name, role in self.entities],
            "attack": list(self.attack),
            "explain": self.explain,
        }
        if self.confirms:
            document["confirms"] = list(self.confirms)
        if self.labels:
            document["labels"] = dict(self.labels)
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Json]) -> Finding:
        """Read a finding back. Raises FindingFormatError that names the first wrong key."""
        try:
            if document["schema"] != SCHEMA:
                raise FindingFormatError(f"schema is {document['schema']!r}, expected {SCHEMA!r}")
            return cls(
                finding_id=_text(document, "finding_id"),
                rule_id=_text(document, "rule_id"),
                title=_text(document, "title"),
                level=parse_level(_text(document, "level")),
                base_level=parse_level(_text(document, "base_level")),
                status="final" if document["status"] == "final" else "provisional",
                source=_text(document, "source"),
                event_id=_text(document, "event_id"),
                event_ids=_texts(document, "event_ids"),
                event_time=parse_rfc3339(_text(document, "event_time")),
                first_time=parse_rfc3339(_text(document, "first_time")),
                last_time=parse_rfc3339(_text(document, "last_time")),
                count=int(cast(int, document["count"])),
                entities=_entities(document),
                attack=_texts(document, "attack"),
                explain=_text(document, "explain"),
                confirms=_texts(document, "confirms") if "confirms" in document else (),
                labels={k: str(v) for k, v in cast(Fields, document.get("labels") or {}).items()},
            )
        except FindingFormatError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FindingFormatError(f"not a finding: {type(error).__name__}: {error}") from error


def _text(document: Mapping[str, Json], key: str) -> str:
    value = document[key]
    if not isinstance(value, str):
        raise FindingFormatError(f"{key} is {type(value).__name__}, expected text")
    return value


def _texts(document: Mapping[str, Json], key: str) -> tuple[str, ...]:
    value = document[key]
    if not isinstance(value, list):
        raise FindingFormatError(f"{key} is {type(value).__name__}, expected a list of texts")
    return tuple(str(item) for item in value)


def _entities(document: Mapping[str, Json]) -> tuple[Entity, ...]:
    value = document["entities"]
    if not isinstance(value, list):
        raise FindingFormatError("entities is not a list")
    out: list[Entity] = []
    for item in value:
        if not isinstance(item, dict):
            raise FindingFormatError("an entity is not an object")
        kind = cast(EntityType, _text(item, "type"))
        out.append(Entity(kind, _text(item, "id"), cast(EntityRole, _text(item, "role"))))
    return tuple(out)
