"""Times of findings as text: milliseconds, UTC, the same as the standard library's for every event time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.finding import Finding, parse_rfc3339, rfc3339

EARLIEST, LATEST = 631_152_000, 7_258_118_399
"""Seconds: the first of 1990 and the last of 2199, the event times that a source may state."""


@given(st.integers(EARLIEST * 10**6, LATEST * 10**6))
def test_a_time_is_written_as_the_standard_library_writes_its_milliseconds(microseconds):
    seconds = microseconds / 10**6
    at = datetime.fromtimestamp(round(seconds * 1000) / 1000, UTC)
    assert rfc3339(seconds) == at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@given(st.integers(EARLIEST * 1000, LATEST * 1000))
def test_a_time_in_milliseconds_comes_back_as_it_was(milliseconds):
    assert round(parse_rfc3339(rfc3339(milliseconds / 1000)) * 1000) == milliseconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (59.9996, "1970-01-01T00:01:00.000Z"),
        (-0.001, "1969-12-31T23:59:59.999Z"),
        (-62135596800, "0001-01-01T00:00:00.000Z"),
        (253402300799.0, "9999-12-31T23:59:59.000Z"),
    ],
)
def test_edges_of_minutes_and_years(seconds, text):
    assert rfc3339(seconds) == text


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 1e12, -1e12, 1e300])
def test_what_is_no_time_is_an_error(seconds):
    with pytest.raises((ValueError, OverflowError, OSError)):
        rfc3339(seconds)


def test_a_finding_keeps_its_three_times_apart():
    finding = Finding(
        rule_id="r", title="t", level="low", base_level="low", status="final", source="cloudtrail",
        event_id="e", event_ids=("e",), event_time=3.0, first_time=1.0, last_time=2.0, count=1,
        entities=(), attack=(), explain="x", finding_id="f",
    )  # fmt: skip
    document = finding.to_json()
    assert [document[f"{name}_time"] for name in ("event", "first", "last")] == [
        "1970-01-01T00:00:03.000Z",
        "1970-01-01T00:00:01.000Z",
        "1970-01-01T00:00:02.000Z",
    ]
    at_once = replace(finding, first_time=3.0, last_time=3.0).to_json()
    assert {at_once[f"{name}_time"] for name in ("event", "first", "last")} == {"1970-01-01T00:00:03.000Z"}
    assert Finding.from_json(document) == finding
