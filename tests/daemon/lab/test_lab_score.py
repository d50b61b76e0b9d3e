"""Findings over labels, counted by hand."""

from __future__ import annotations

import pytest

from daemon.lab.score import score

LABELS = {
    "schema": "davylamp.lab/1",
    "counts": {"cloudtrail": 10, "istio_access": 5},
    "techniques": [
        {
            "id": "stop",
            "title": "Stop",
            "source": "cloudtrail",
            "attack": ["T1685.002"],
            "level": "high",
            "start": "2026-03-02T06:00:00.000Z",
            "records": [{"id": "e-1", "line": 1}, {"id": "e-2", "line": 2}],
            "supporting": [{"id": "e-0", "line": 3}],
        },
        {
            "id": "shell",
            "title": "Shell",
            "source": "istio_access",
            "attack": ["T1571"],
            "level": "medium",
            "start": "2026-03-02T06:10:00.000Z",
            "records": [{"id": None, "line": 4}],
            "supporting": [],
        },
    ],
    "look_alikes": [
        {
            "id": "renew",
            "title": "Renew",
            "source": "cloudtrail",
            "why": "own",
            "start": "2026-03-02T06:00:00.000Z",
            "records": [{"id": "e-9", "line": 9}],
            "supporting": [],
        }
    ],
}


def finding(number, *event_ids, level="high", at="2026-03-02T06:00:30.000Z", **more):
    return {
        "finding_id": f"f-{number}",
        "title": f"Rule {number}",
        "level": level,
        "source": "cloudtrail",
        "event_ids": list(event_ids),
        "event_time": at,
    } | more


def verdicts(*findings):
    result = score(findings, LABELS)
    return result, {one.id: one for one in (*result.techniques, *result.look_alikes)}


def test_a_technique_is_found_by_one_of_its_records_and_the_first_alert_sets_the_delay():
    result, by_id = verdicts(finding(1, "e-2", at="2026-03-02T06:01:30.000Z"), finding(2, "e-7", "e-1"))
    assert by_id["stop"].delay_s == 30.0
    assert set(by_id["stop"].rules) == {"Rule 1", "Rule 2"}
    assert [one.id for one in result.missed] == ["shell"]


def test_an_event_id_that_says_more_than_the_source_s_id_is_recognised():
    assert verdicts(finding(1, "e-1/ResponseComplete/0123456789abcdef"))[1]["stop"].rules


@pytest.mark.parametrize("where", [{"locations": [{"file": "x", "line": 4}]}, {}])
def test_a_record_without_an_id_is_recognised_by_its_line(where):
    _, by_id = verdicts(finding(1, "x/0/4/0", source="istio_access", **where))
    assert bool(by_id["shell"].rules) == bool(where)


def test_a_record_without_an_id_is_recognised_by_its_place_in_the_topic():
    shell = {**LABELS["techniques"][1], "records": [{"id": None, "at": "istio/2/77"}]}
    labels = {**LABELS, "techniques": [shell]}
    assert not score([finding(1, "istio/2/77/0")], labels).missed
    assert score([finding(1, "istio/2/7/0")], labels).missed


def test_what_only_prepares_is_neither_found_nor_false():
    result, by_id = verdicts(finding(1, "e-0"))
    assert not by_id["stop"].rules
    assert not result.false


def test_what_is_about_none_of_the_labels_is_false():
    result, _ = verdicts(finding(1, "e-5", level="medium"), finding(1, "e-5", level="medium"))
    assert result.false == {"medium": 1}
    assert result.ordinary == 15 - 5


def test_a_look_alike_is_hit_from_medium_on():
    assert not verdicts(finding(1, "e-9", level="low"))[0].hit
    assert [one.id for one in verdicts(finding(1, "e-9", level="medium"))[0].hit] == ["renew"]


def test_an_alert_below_the_expected_level_is_told():
    assert [one.id for one in verdicts(finding(1, "e-1", level="medium"))[0].weaker] == ["stop"]
    assert not verdicts(finding(1, "e-1", level="medium"), finding(2, "e-1"))[0].weaker


def test_informational_findings_find_nothing():
    assert len(verdicts(finding(1, "e-1", level="informational"))[0].missed) == 2
