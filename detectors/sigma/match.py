"""A match: that one event satisfied one rule of a correlation, as the record on `davylamp.matches`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring_ascii as quoted
from typing import Final, NamedTuple, TypeAlias, cast

from detectors.event import Entity, EntityRole, EntityType, Fields, Json
from detectors.level import Level, parse_level

MAX_ENTITIES: Final = 16
Values: TypeAlias = tuple[str | None, ...]


class MatchFormatError(ValueError):
    """A record is not a match; the message names the key."""


class Match(NamedTuple):
    """One match. `time` is event time in seconds (UTC); `group` the values of the group-by fields.

    `value` is what a value_* correlation looks at: a text for value_count, a number for the others. `carried`
    holds further values that a correlation of this correlation asks for, one tuple an event. `events` are
    the ids of the events where the match is a finding of another correlation, whose id is `event_id` then.
    """

    correlation: str
    rule: str
    group: Values
    event_id: str
    time: float
    source: str
    level: Level
    entities: tuple[Entity, ...]
    summary: str
    value: str | float | None = None
    carried: tuple[Values, ...] = ()
    events: tuple[str, ...] = ()

    def key(self) -> str:
        """Return the key of the record: correlation id, ``|``, JSON list of the group values."""
        values = ["null" if value is None else quoted(value) for value in self.group]
        return f"{self.correlation}|[{','.join(values)}]"

    def to_json(self) -> Fields:
        """Return the record (`docs/architecture.md`, messages)."""
        record: Fields = {
            "kind": "match",
            "correlation": self.correlation,
            "rule": self.rule,
            "group": list(self.group),
            "event_id": self.event_id,
            "time": self.time,
            "source": self.source,
            "level": self.level,
            "entities": [{"type": e.type, "id": e.id, "role": e.role} for e in self.entities],
            "summary": self.summary,
        }
        if self.value is not None:
            record["value"] = self.value
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Json]) -> Match:
        """Read a record back. Raises MatchFormatError that names what is wrong."""
        try:
            if record["kind"] != "match":
                raise MatchFormatError(f"kind is {record['kind']!r}, expected 'match'")
            group = cast("list[str | None]", record["group"])
            return cls(
                correlation=_text(record, "correlation"),
                rule=_text(record, "rule"),
                group=tuple(None if value is None else str(value) for value in group),
                event_id=_text(record, "event_id"),
                time=float(cast(float, record["time"])),
                source=_text(record, "source"),
                level=parse_level(_text(record, "level")),
                entities=entities_from(cast("list[Fields]", record["entities"])),
                summary=_text(record, "summary"),
                value=_value(record.get("value")),
            )
        except MatchFormatError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise MatchFormatError(f"not a match: {type(error).__name__}: {error}") from error


def _value(value: Json) -> str | float | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise MatchFormatError(f"value is {type(value).__name__}, expected text or a number")


def entities_from(items: Sequence[Mapping[str, Json]]) -> tuple[Entity, ...]:
    """Return entities of their JSON form. Raises KeyError, TypeError for anything else."""
    return tuple(
        Entity(cast(EntityType, str(e["type"])), str(e["id"]), cast(EntityRole, str(e["role"])))
        for e in items
    )


def _text(record: Mapping[str, Json], key: str) -> str:
    value = record[key]
    if not isinstance(value, str):
        raise MatchFormatError(f"{key} is {type(value).__name__}, expected text")
    return value
