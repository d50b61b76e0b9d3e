"""One record to its events: the usual record in one step, the others through their envelopes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import orjson

from connectors.sources.decoding import few_brackets, shallow
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
    if value and len(value) <= max_bytes and len(value) <= WHOLE:
        first = value[0]
        try:
            if first == 0x7B:
                fields = orjson.loads(value)
                if LIFTS not in fields and (few_brackets(value) or shallow(fields)):
                    return Unpacked([source.parse(fields, Locator(topic, partition, offset, 0), origin)])
            elif first == 0x5B and source.recognise_line(value) and b"\n" not in value[:-1]:
                return Unpacked([source.parse(value, Locator(topic, partition, offset, 0), origin)])
        except (orjson.JSONDecodeError, Reject):
            pass
    place = Locator(topic, partition, offset, 0)
    work = Unpacking(source, place, origin, max_bytes, max_events, max_depth, max_rejects)
    return work.run(value or b"")
