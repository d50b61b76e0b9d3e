"""What must hold for any bytes: no exception, an ending of the closed list, no more time than they merit."""

from __future__ import annotations

import time

import orjson

from connectors.sources.catalogue import profile
from connectors.sources.envelope import unpack
from connectors.sources.reject import Reason
from connectors.sources.unpacked import Unpacked

ENDINGS = frozenset({"unpacked", "rejected", "control", "empty"})
SECONDS = 2.0
"""CPU time for one input of a few KiB, also where every line is instrumented: a thousand times the usual."""


def check(value: bytes, kind: str) -> Unpacked:
    """Read `value` as a record of `kind` and ask every event all that the roles ask. Raises on any breach."""
    began = time.process_time()
    found = unpack(value, profile(kind), "raw", 0, 7)
    assert found.ending in ENDINGS
    assert found.unpacked_events == (0 if found.unreadable else len(found.events) + len(found.rejects))
    for reject in found.rejects:
        assert reject.reason in Reason and len(reject.detail) <= 200 and reject.locator is not None
    for event in found.events:
        source = profile(event.source)
        source.entities(event)
        source.outcome(event)
        source.aliases_in(event)
        source.contacts(event)
        assert source.summary(event).isprintable()
        assert 0 < len(event.event_id) < 400
        orjson.dumps(source.ecs(event))
    assert time.process_time() - began < SECONDS, f"{len(value)} bytes took too long"
    return found
