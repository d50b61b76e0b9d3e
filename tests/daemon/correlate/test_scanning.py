"""`scan`: the findings of the daemon, from files, each with the lines of its events."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.sources.catalogue import profile
from connectors.sources.files import FileUnreadableError, read_events
from daemon.cli.scan_summary import print_unused
from daemon.roles.correlate.rules import correlations
from daemon.scanning import Located, Tally, scan
from detectors.event import Event
from detectors.finding import rfc3339
from detectors.sigma.document import RuleDocument
from detectors.sigma.engine import Engine
from detectors.sigma.groups import CHUNK
from detectors.sigma.ruleset import RuleSet

START = 1_780_000_000.0
TIMES = (100.0, 110.0, 130.0, 155.0, 300.0, 305.0, 306.0, 420.0)
DAY_S = 86400.0


def refused(at: float, number: int) -> dict[str, Any]:
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "auditID": f"00000000-0000-4000-8000-{number:012d}",
        "stage": "ResponseComplete",
        "verb": "list",
        "requestURI": "/api/v1/secrets",
        "user": {"username": "eve"},
        "sourceIPs": ["10.0.0.9"],
        "objectRef": {"resource": "secrets", "apiVersion": "v1"},
        "responseStatus": {"code": 403},
        "stageTimestamp": rfc3339(START + at),
    }


def edge(day: float, host: str, number: int) -> dict[str, Any]:
    return {
        "start_time": rfc3339(START + day * DAY_S),
        "method": "GET",
        "path": "/",
        "response_code": 200,
        "response_code_details": "via_upstream",
        "upstream_cluster": f"outbound|443||{host}",
        "authority": host,
        "request_id": f"00000000-0000-4000-8000-{number:012d}",
        "namespace": "terraminer-data",
        "workload": "extractor",
        "pod": "extractor-1",
    }


def save(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records))
    return path


@pytest.fixture
def rules(test_rules: list[RuleDocument]) -> RuleSet:
    return RuleSet.load(test_rules)


def run(path: Path, rules: RuleSet, kind: str = "kubernetes_audit") -> list[Located]:
    return list(scan([path], kind, rules, learning_s=DAY_S))


def test_a_finding_names_the_file_and_the_line_of_each_event(tmp_path: Path, rules: RuleSet) -> None:
    file = save(tmp_path / "audit.jsonl", [refused(at, n) for n, at in enumerate(reversed(TIMES))])
    documents: list[Any] = [located.to_json() for located in run(file, rules)]
    assert [d["count"] for d in documents] == [4, 3]
    assert [[place["line"] for place in d["locations"]] for d in documents] == [[8, 7, 6, 5], [4, 3, 2]]
    assert {place["file"] for d in documents for place in d["locations"]} == {str(file)}
    assert all(d["status"] == "final" and len(d["locations"]) == len(d["event_ids"]) for d in documents)


def test_scan_and_correlate_find_the_same(
    tmp_path: Path, rules: RuleSet, new_drive: Callable[[], Any], records: Any
) -> None:
    file = save(tmp_path / "audit.jsonl", [refused(at, n) for n, at in enumerate(TIMES)])
    engine, drive = Engine(rules), new_drive()
    events = [e for e in read_events(file, profile("kubernetes_audit")) if isinstance(e, Event)]
    matches = [match for event in events for match in engine.inspect(event).matches]
    feed = [records.raw(match.key(), match.to_json(), 0, match.time) for match in matches]
    drive.feed([*feed, records.heartbeat(START + 9000.0)])
    scanned = {located.finding.finding_id for located in run(file, rules)}
    assert len(scanned) == 2
    assert scanned == {f["finding_id"] for f in drive.findings if f["status"] == "final"}


def test_a_packed_file_gives_the_same(tmp_path: Path, rules: RuleSet) -> None:
    file = save(tmp_path / "audit.jsonl", [refused(at, n) for n, at in enumerate(TIMES)])
    packed = tmp_path / "audit.jsonl.gz"
    packed.write_bytes(gzip.compress(file.read_bytes()))
    assert [f.finding for f in run(packed, rules)] == [f.finding for f in run(file, rules)]


def test_a_group_larger_than_a_state_loses_nothing(tmp_path: Path, rules: RuleSet) -> None:
    episodes, a_minute = 41, 61
    many = episodes * a_minute
    assert many > 2000 > CHUNK
    file = save(tmp_path / "audit.jsonl", [refused(at, at) for at in range(many)])
    found = run(file, rules)
    assert sum(located.finding.count for located in found) == many
    assert all("overflow" not in located.finding.labels for located in found)


def test_a_first_seen_edge_is_found_after_learning(tmp_path: Path, rules: RuleSet) -> None:
    old, new = "a.terraminer.svc.cluster.local", "drop.example.org"
    file = save(
        tmp_path / "access.jsonl", [edge(0, old, 0), edge(0.5, old, 1), edge(3, new, 2), edge(4, new, 3)]
    )
    found = run(file, rules, "istio_access")
    assert [located.finding.rule_id for located in found] == ["davylamp-first-seen-mesh-edge"]
    assert [place.offset for place in found[0].locators] == [3]


def test_what_cannot_be_read_is_counted_and_the_rest_is_found(tmp_path: Path, rules: RuleSet) -> None:
    file = save(tmp_path / "audit.jsonl", [refused(at, n) for n, at in enumerate(TIMES)])
    file.write_bytes(b"{not json\n" + file.read_bytes() + b'{"verb": 3}\n')
    tally = Tally()
    assert len(list(scan([file], "kubernetes_audit", rules, learning_s=1.0, tally=tally))) == 2
    assert (tally.events, sum(tally.rejected.values())) == (len(TIMES), 2)


def test_a_missing_file_is_named(tmp_path: Path, rules: RuleSet) -> None:
    with pytest.raises(FileUnreadableError, match="absent"):
        run(tmp_path / "absent.jsonl", rules)


OUTER = """title: Bursts of refused requests
id: 6f1d4a2e-0c5b-4b0f-9a55-1f0d6f2b7a09
level: high
correlation:
  type: event_count
  rules: [6f1d4a2e-0c5b-4b0f-9a55-1f0d6f2b7a02]
  group-by: [user.username]
  timespan: 1h
  condition: {gte: 2}
"""


def test_scan_runs_a_correlation_of_correlations_which_correlate_refuses_by_name(
    tmp_path: Path, test_rules: list[RuleDocument], capsys: pytest.CaptureFixture[str]
) -> None:
    chained = RuleSet.load([*test_rules, RuleDocument("outer.yml", OUTER)])
    file = save(tmp_path / "audit.jsonl", [refused(at, n) for n, at in enumerate(TIMES)])
    [found] = run(file, chained)
    document: Any = found.to_json()
    assert (document["title"], document["count"]) == ("Bursts of refused requests", 7)
    assert [place["line"] for place in document["locations"]] == [1, 2, 3, 4, 5, 6, 7]
    streamed = correlations(chained)
    assert sorted(streamed) == sorted(item.id for item in RuleSet.load(test_rules).correlations)
    assert not any(item.rule.quiet for item in streamed.values())
    assert "'Bursts of refused requests' is a correlation of correlations" in capsys.readouterr().out


def test_groups_over_the_cap_and_matches_over_a_window_are_told(
    tmp_path: Path, rules: RuleSet, capsys: pytest.CaptureFixture[str]
) -> None:
    tally = Tally()
    file = save(tmp_path / "audit.jsonl", [refused(at / 100, at) for at in range(2_700)])
    found = list(scan([file], "kubernetes_audit", rules, learning_s=None, tally=tally))
    assert found[0].finding.labels["overflow"] == "true"
    assert tally.turned_away.total() > 0
    print_unused(tally)
    assert "matches turned away by a full window" in capsys.readouterr().err
