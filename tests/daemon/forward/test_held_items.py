"""A finding that is held back is no alert: filtered, and counted as that."""

from __future__ import annotations

import orjson
from aiokafka.structs import ConsumerRecord

from daemon.roles.forward.item import MAPPERS, InternalReader, Item
from detectors.finding import Finding
from detectors.lifecycle.held import hold

FINDING = Finding(
    "r", "T", "high", "high", "final", "cloudtrail", "e", ("e",), 1e9, 1e9, 1e9, 1, (), (), "x", "id"
)


def item(finding: Finding) -> Item:
    source, mapper = MAPPERS["davylamp.findings"]
    value = orjson.dumps(finding.to_json())
    record = ConsumerRecord("davylamp.findings", 0, 0, 0, 0, None, value, None, 0, len(value), ())
    (one,) = InternalReader(source, mapper, "default", lambda: 1e9).items(record)
    return one


def test_only_what_is_not_held_becomes_an_alert() -> None:
    assert item(FINDING).document is not None
    for why in ("exception", "shadow", "flood"):
        assert item(hold(FINDING, why)) == Item(None, 0, "filtered")
