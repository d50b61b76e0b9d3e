"""The laws: they hold for what the roles count, and say what is missing."""

from __future__ import annotations

from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from connectors.kafka.conservation import add, between, detect_violations, forward_violations, total
from connectors.kafka.metrics import ConservationCollector, Standing, by_source, losses

COUNTS = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(0, 100))


@given(st.lists(COUNTS))
def test_a_total_is_the_sum_of_its_parts(parts: list[dict[str, int]]) -> None:
    summed = total(parts)
    assert all(summed.get(name, 0) == sum(part.get(name, 0) for part in parts) for name in "abc")


def test_adding_keeps_no_zeros() -> None:
    counters = {"a": 1}
    add(counters, {"b": 0, "a": 2})
    assert counters == {"a": 3}


def test_detect_accounts_for_records_and_events() -> None:
    good = {
        "records:read": 10,
        "records:unpacked": 6,
        "records:rejected": 2,
        "records:control": 1,
        "records:empty": 1,
        "events:unpacked": 9,
        "events:accepted": 5,
        "events:repeated": 1,
        "events:rejected": 2,
        "events:ignored:why": 1,
    }
    assert detect_violations(good) == []
    assert detect_violations(good | {"records:empty": 0}) == ["records: read 10, accounted for 9"]
    assert detect_violations(good | {"events:accepted": 4}) == ["events: unpacked 9, accounted for 8"]


def test_forward_accounts_for_items_with_those_in_flight() -> None:
    done = {
        "items:read": 9,
        "items:delivered": 4,
        "items:already_there": 1,
        "items:filtered": 1,
        "items:rejected": 1,
    }
    assert forward_violations(done, in_flight=2) == []
    assert forward_violations(done, in_flight=1) == ["items: read 9, accounted for 8"]


def test_what_detect_accepted_is_what_forward_holds() -> None:
    detect = {"events:accepted": 5, "events:repeated": 2}
    assert between(detect, {"items:delivered": 4, "items:filtered": 1}, in_flight=2) == []
    assert between(detect, {"items:delivered": 4}, in_flight=2) == [
        "detect accepted 7 events, forward accounts for 6"
    ]


def test_metrics_say_what_the_checkpoints_say() -> None:
    tp = TopicPartition("aws.cloudtrail", 2)
    counters = {"records:read": 3, "events:ignored:why": 1, "lost_before_read": 4}
    standings = {tp: Standing("cloudtrail", counters, lag=8)}
    registry = CollectorRegistry()
    registry.register(ConservationCollector("detect", lambda: {"": standings}))
    text = generate_latest(registry).decode()
    assert 'davylamp_detect_records_total{outcome="read",reason="",source="cloudtrail",target=""} 3.0' in text
    assert (
        'davylamp_detect_events_total{outcome="ignored",reason="why",source="cloudtrail",target=""} 1.0'
        in text
    )
    assert (
        'davylamp_lost_before_read_total{partition="2",role="detect",target="",topic="aws.cloudtrail"} 4.0'
        in text
    )
    assert 'davylamp_lag_records{partition="2",role="detect",target="",topic="aws.cloudtrail"} 8.0' in text
    assert by_source(standings) == {"cloudtrail": {"records:read": 3, "events:ignored:why": 1}}
    assert losses(standings) == {"aws.cloudtrail/2": 4}
