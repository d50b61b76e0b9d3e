"""One record to its events: the usual record in one step, the others through their envelopes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from orjson import JSONDecodeError, loads

from connectors.sources.decoding import MAX_NESTING, shallow
from connectors.sources.envelope_array import WHOLE
from connectors.sources.envelope_log_shipper import LIFTS
from connectors.sources.reject import Reject
from connectors.sources.source import NOWHERE, Source
from connectors.sources.unpacked import Unpacked
from connectors.sources.unpacking import Unpacking
from detectors.event import Locator

MAX_BYTES: Final = 32 * 1024 * 1024
MAX_EVENTS: Final = 10_000
MAX_DEPTH: Final = 4
MAX_REJECTS: Final = 16
_MANY: Final = MAX_NESTING + 1


def unpack(
    value: bytes | None,
    source: Source,
    topic: str,
    partition: int,
    offset: int,
    *,
    max_bytes: int = MAX_BYTES,
    max_events: int = MAX_EVENTS,
    max_depth: int = MAX_DEPTH,
    max_rejects: int = MAX_REJECTS,
    origin: Mapping[str, str] = NOWHERE,
) -> Unpacked:
    """Return the events of one record's value. Never raises on any bytes.

    `max_bytes` bounds the value before and after decompression, `max_events` the events taken,
    `max_depth` the envelopes inside one another, `max_rejects` the bad items that are named one by one.
    """
    # The usual record is one event: read it without asking first. What is not ends in the long way.
    if value and (size := len(value)) <= WHOLE and size <= max_bytes:
        first = value[0]
        try:
            if first == 0x7B:
                fields = loads(value)
                # `few_brackets` written out: asked of every record, a call would cost as much as a look.
                others = len(value.replace(b"{", b"", _MANY)) + len(value.replace(b"[", b"", _MANY))
                if (2 * size - others <= MAX_NESTING or shallow(fields)) and LIFTS not in fields:
                    place = Locator(topic, partition, offset, 0)
                    return Unpacked([source.parse(fields, place, origin)])
            elif first == 0x5B and source.recognise_line(value) and b"\n" not in value[:-1]:
                return Unpacked([source.parse(value, Locator(topic, partition, offset, 0), origin)])
        except (JSONDecodeError, Reject):
            pass
    place = Locator(topic, partition, offset, 0)
    work = Unpacking(source, place, origin, max_bytes, max_events, max_depth, max_rejects)
    return work.run(value or b"")
