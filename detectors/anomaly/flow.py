"""A flow: contacts of one edge inside one block of a source partition, as the record on `davylamp.flows`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from detectors.event import Entity, EntityType, Json
from detectors.sigma.match import entities_from


class FlowFormatError(ValueError):
    """A record is not a flow; the message names the key."""


@dataclass(frozen=True, slots=True)
class Flow:
    """One flow. Times are event times in seconds (UTC); `first_event_id` is the event at `first_time`.

    `outside`: the source says that the peer is none of the platform's.
    """

    model: str
    subject: tuple[EntityType, str]
    peer: tuple[EntityType, str]
    first_time: float
    last_time: float
    first_event_id: str
    entities: tuple[Entity, ...]
    outside: bool

    @classmethod
    def from_json(cls, record: Mapping[str, Json]) -> Flow:
        """Read a record (`docs/architecture.md`, messages). Raises FlowFormatError."""
        try:
            if record["kind"] != "flow":
                raise FlowFormatError(f"kind is {record['kind']!r}, expected 'flow'")
            return cls(
                model=str(record["model"]),
                subject=_name(record["subject"]),
                peer=_name(record["peer"]),
                first_time=float(cast(float, record["first_time"])),
                last_time=float(cast(float, record["last_time"])),
                first_event_id=str(record["first_event_id"]),
                entities=entities_from(cast("list[dict[str, Json]]", record["entities"])),
                outside=record.get("outside") is True,
            )
        except FlowFormatError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FlowFormatError(f"not a flow: {type(error).__name__}: {error}") from error


def _name(value: Json) -> tuple[EntityType, str]:
    kind, name = cast("tuple[str, str]", value)
    return cast(EntityType, kind), name
