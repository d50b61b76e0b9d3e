"""One record to its events: the usual record in one step, the others through their envelopes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import orjson

from connectors.sources.decoding import shallow
from connectors.sources.envelope_log_shipper import LIFTS
from connectors.sources.reject import Reject
from connectors.sources.source import NOWHERE, Source
from connectors.sources.unpacked import Unpacked
from connectors.sources.unpacking import Unpacking
from detectors.event import Locator

MAX_BYTES: Final = 32 * 1024 * 1024
MAX_EVENTS: Final = 10_000
MAX_DEPTH: Final = 4


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
    origin: Mapping[str, str] = NOWHERE,
) -> Unpacked:
    """Return the events of one record's value. Never raises on any bytes.

    `max_bytes` bounds the value before and after decompression, `max_events` the events taken,
    `max_depth` the envelopes inside one another.
    """
    # The usual record is one event: read it without asking first. What is not ends in the long way.
    if value and len(value) <= max_bytes:
        first = value[0]
        try:
            if first == 0x7B and shallow(value):
                event = source.parse(orjson.loads(value), Locator(topic, partition, offset, 0), origin)
                if LIFTS not in event.fields:
                    return Unpacked([event])
            elif first == 0x5B and source.recognise_line(value) and b"\n" not in value[:-1]:
                return Unpacked([source.parse(value, Locator(topic, partition, offset, 0), origin)])
        except (orjson.JSONDecodeError, Reject):
            pass
    work = Unpacking(source, Locator(topic, partition, offset, 0), origin, max_bytes, max_events, max_depth)
    return work.run(value or b"")
