"""A cut audit line inside its envelope is an event, dated by what the envelope states."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.sources.catalogue import profile
from connectors.sources.envelope import unpack
from connectors.sources.kubernetes_cut import MARK
from connectors.sources.moment import stated
from connectors.sources.reject import Reason

DATA = Path(__file__).parent / "data/kubernetes_audit.jsonl"
RECORDS = {case["case"]: case["record"] for case in map(json.loads, DATA.read_text().splitlines())}
AUDIT = profile("kubernetes_audit")
WHOLE = orjson.dumps(RECORDS["pod_status"]).decode()
CUT = WHOLE[: WHOLE.index('"requestObject"') + 60]
AT = 1795410047.25
TEXT = "2026-11-23T05:00:47.25Z"

ENVELOPES: dict[str, Any] = {
    "eks": {
        "messageType": "DATA_MESSAGE",
        "owner": "111122223333",
        "logGroup": "/aws/eks/terraminer/cluster",
        "logEvents": [{"id": "1", "timestamp": 1795410047250, "message": CUT + "[Truncated...]"}],
    },
    "aks": {"records": [{"time": TEXT, "category": "kube-audit", "properties": {"log": CUT}}]},
    "docker": {"log": CUT + "\n", "stream": "stdout", "time": TEXT},
    "fluent_bit": {"@timestamp": TEXT, "log": CUT, "kubernetes": {"pod_name": "p"}},
    "fluent_bit_epoch": {"date": AT, "log": CUT, "stream": "stdout"},
    "fluent_bit_partial": {"date": AT, "log": CUT, "stream": "stdout", "logtag": "P"},
    "vector": {"timestamp": TEXT, "message": CUT, "source_type": "kubernetes_logs"},
    "filebeat": {"@timestamp": TEXT, "message": CUT, "agent": {"type": "filebeat"}},
    "otlp": {
        "resourceLogs": [
            {
                "scopeLogs": [
                    {"logRecords": [{"timeUnixNano": "1795410047250000000", "body": {"stringValue": CUT}}]}
                ]
            }
        ]
    },
}
LINES = {
    "cri_full": f"{TEXT} stdout F {CUT}",
    "cri_partial": f"{TEXT} stdout P {CUT[:500]}\n{TEXT} stdout P {CUT[500:]}",
}


@pytest.mark.parametrize("value", [*map(orjson.dumps, ENVELOPES.values()), *map(str.encode, LINES.values())],
                         ids=[*ENVELOPES, *LINES])  # fmt: skip
def test_a_cut_line_is_dated_by_its_envelope(value):
    found = unpack(value, AUDIT, "t", 0, 1)
    assert (found.ending, list(found.rejects)) == ("unpacked", [])
    event = found.events[0]
    assert event.time == AT and event.origin[MARK] == "true"
    assert event.fields["objectRef"] == RECORDS["pod_status"]["objectRef"]


def test_a_whole_line_keeps_its_own_time_and_origin():
    value = ENVELOPES["fluent_bit"] | {"log": WHOLE}
    event = unpack(orjson.dumps(value), AUDIT, "t", 0, 1).events[0]
    assert event.time != AT and event.origin == {"pod": "p"}


def test_a_partial_line_that_is_no_head_of_an_event_is_partial():
    for text in ("stdout of something", CUT[:40], '{"a":1'):
        found = unpack(f"{TEXT} stdout P {text}".encode(), AUDIT, "t", 0, 1)
        assert [reject.reason for reject in found.rejects] == [Reason.PARTIAL]


def test_a_line_cut_behind_a_brace_that_strings_balance_is_read():
    """As many braces of one kind as of the other do not make an object whole."""
    record = {**RECORDS["pod_status"], "userAgent": "}" * 3}
    line = orjson.dumps(record).decode()
    ends = [at + 1 for at, char in enumerate(line[:-1]) if char == "}" and '"objectRef"' in line[:at]]
    balanced = [end for end in ends if line[:end].count("{") == line[:end].count("}")]
    assert balanced
    for end in balanced:
        value = orjson.dumps({"time": TEXT, "log": line[:end], "stream": "stdout"})
        assert len(unpack(value, AUDIT, "t", 0, 1).events) == 1


def test_a_digest_file_is_control():
    value = {"awsAccountId": "1", "digestStartTime": "2026-11-20T08:00:00Z", "logFiles": []}
    found = unpack(orjson.dumps(value), profile("cloudtrail"), "t", 0, 1)
    assert (found.ending, found.control) == ("control", 1)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (TEXT, TEXT),
        (b"2026-11-23T05:00:47Z", "2026-11-23T05:00:47Z"),
        (1795410047, "2026-11-23T05:00:47.000Z"),
        (AT, "2026-11-23T05:00:47.250Z"),
        (1795410047250, "2026-11-23T05:00:47.250Z"),
        ("1795410047250000000", "2026-11-23T05:00:47.250Z"),
    ],
)
def test_stated_times(written, meant):
    assert stated(written) == meant


@pytest.mark.parametrize(
    "written", [None, True, 0, -1, 1e300, "9" * 30, "x" * 100, "", [], {}, float("1e18")]
)
def test_what_is_no_time_is_none_or_judged_later(written):
    assert stated(written) is None or isinstance(written, float)
