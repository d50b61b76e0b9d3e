"""A match from the bytes of its record, in one typed step; what is not quite as written goes the slow way.

`Match.from_json` says what a match is and names what is wrong. This takes the same records, the way
detect writes them, at a third of the cost.
"""

from __future__ import annotations

from typing import Final, cast

import msgspec

from daemon.roles.correlate.error import MessageFormatError
from daemon.roles.correlate.evaluation import Record, decode
from detectors.event import Entity, EntityRole, EntityType, Fields
from detectors.level import Level
from detectors.sigma.match import Match, MatchFormatError

_BEGINS: Final = b'{"kind":"match",'


class _Entity(msgspec.Struct, gc=False):
    type: str
    id: str
    role: str


class _Match(msgspec.Struct, gc=False):
    correlation: str
    rule: str
    group: tuple[str | None, ...]
    event_id: str
    time: float
    source: str
    level: Level
    entities: list[_Entity]
    summary: str
    value: str | float | None = None


_DECODER: Final = msgspec.json.Decoder(_Match)


def read(record: Record) -> Match | Fields:
    """Return a match, or the JSON object of another kind of record.

    Raises MessageFormatError("empty" | "bad_json" | "not_an_object" | "match").
    """
    value = record.value
    if value is not None and value.startswith(_BEGINS):
        try:
            known = _DECODER.decode(value)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            pass
        else:
            return _match(known)
    document = decode(record)
    if document.get("kind") != "match":
        return document
    try:
        return Match.from_json(document)
    except MatchFormatError as error:
        raise MessageFormatError("match") from error


def _match(known: _Match) -> Match:
    entities = tuple(
        [Entity(cast(EntityType, e.type), e.id, cast(EntityRole, e.role)) for e in known.entities]
    )
    return Match(
        known.correlation,
        known.rule,
        known.group,
        known.event_id,
        known.time,
        known.source,
        known.level,
        entities,
        known.summary,
        known.value,
    )
