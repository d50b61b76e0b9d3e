"""The partitions that Faust's consumer may fetch: those that are active, and none when there are none."""

from __future__ import annotations

from faust.types import TP

from daemon.roles.correlate.fetching import Only

PLACE = TP("davylamp.matches", 2)


def test_partitions_to_fetch_follow_a_pause_and_are_never_all() -> None:
    active = {PLACE}
    only = Only(active)
    assert PLACE in only
    active.clear()
    assert PLACE not in only
    assert only, "aiokafka fetches every partition for what is false"
