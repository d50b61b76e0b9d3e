"""`davylamp replay` over files and a file of findings: new, gone, changed, at the edge, and unchanged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import orjson
import pytest

FAR = {
    **dict.fromkeys(("finding_id", "rule_id", "title", "source", "event_id", "explain"), "cloudtrail"),
    **dict.fromkeys(("event_time", "first_time", "last_time"), "9999-12-31T23:59:59.999999Z"),
    **{key: [] for key in ("event_ids", "entities", "attack")},
    **dict.fromkeys(("level", "base_level"), "low"),
    "schema": "davylamp.finding/1",
    "status": "final",
    "count": 1,
}
DAY = ("--since", "2026-05-01", "--until", "2026-05-02")
BURST = """\
title: Three deletions
id: 5f0d6c58-30fb-4b0c-9d9e-6f6b7a0d9b01
level: high
correlation:
  type: event_count
  rules: [5f0d6c58-30fb-4b0c-9d9e-6f6b7a0d9a02]
  group-by: [userIdentity.arn]
  timespan: 1m
  condition: {gte: 3}
"""


@pytest.fixture
def rules(rule: Callable[..., Path]) -> Path:
    """StopLogging alone, DeleteTrail three times in a minute."""
    folder = rule("rules/stop.yml", 1, "StopLogging").parent
    rule("rules/delete.yml", 2, "DeleteTrail")
    (folder / "burst.yml").write_text(BURST, encoding="utf-8")
    return folder


@pytest.fixture
def events(saved: Callable[..., Path], trail_event: Callable[..., dict[str, Any]]) -> Path:
    """Two stops, and a burst of three deletions five minutes later."""
    stops = [trail_event(number, "StopLogging") for number in (1, 2)]
    return saved("events.jsonl", [*stops, *(trail_event(300 + n, "DeleteTrail") for n in range(3))])


@pytest.fixture
def stored(events: Path, rules: Path, command: Callable[..., Any], tmp_path: Path) -> Path:
    """What `scan --json` says of them with these rules."""
    ran = command("scan", events, "--source", "cloudtrail", "--no-builtin", "--rules", rules, "--json")
    assert ran.returncode == 1, ran.stderr
    path = tmp_path / "stored.jsonl"
    path.write_text(ran.stdout, encoding="utf-8")
    return path


@pytest.fixture
def replayed(
    command: Callable[..., Any], events: Path, rules: Path, stored: Path
) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Replay the events against what is stored; return the exit code and the document."""

    def run(*more: str | Path, period: tuple[str, ...] = DAY) -> tuple[int, dict[str, Any]]:
        words = ("--no-builtin", "--rules", rules, "--against", stored, *period, "--json", *more)
        ran = command("replay", events, "--source", "cloudtrail", *words)
        assert ran.returncode in (0, 1), ran.stderr
        return ran.returncode, orjson.loads(ran.stdout)

    return run


def counts(**other: int) -> dict[str, int]:
    return {"unchanged": 0, "new": 0, "gone": 0, "changed": 0, "at the edge": 0} | {
        name.replace("_", " "): number for name, number in other.items()
    }


def test_the_same_rules_find_the_same(replayed: Callable[..., tuple[int, dict[str, Any]]]) -> None:
    code, page = replayed()
    assert code == 0
    assert page["counts"] == counts(unchanged=3)
    assert page["read"]["events"] == 5 and page["differences"] == []
    assert (page["since"], page["until"]) == ("2026-05-01T00:00:00.000Z", "2026-05-02T00:00:00.000Z")


def test_a_stored_finding_that_is_not_found_again_is_gone_and_another_one_new(
    replayed: Callable[..., tuple[int, dict[str, Any]]], stored: Path
) -> None:
    lines = stored.read_text().splitlines()
    first = next(line for line in lines if "StopLogging" in line)
    ghost = orjson.loads(first) | {
        "finding_id": "0" * 8,
        "event_id": "a-ghost",
        "event_ids": ["a-ghost"],
    }
    stored.write_text("\n".join([*(line for line in lines if line != first), orjson.dumps(ghost).decode()]))
    code, page = replayed()
    assert code == 1
    assert page["counts"] == counts(unchanged=2, new=1, gone=1)
    told = {one["verdict"]: one["finding"]["event_id"] for one in page["differences"]}
    assert told == {"new": orjson.loads(first)["event_id"], "gone": "a-ghost"}


def test_another_level_and_other_events_are_changes(
    replayed: Callable[..., tuple[int, dict[str, Any]]],
    rules: Path,
    rule: Callable[..., Path],
    events: Path,
    trail_event: Callable[..., dict[str, Any]],
) -> None:
    rule("rules/stop.yml", 1, "StopLogging", level="critical")
    with events.open("ab") as file:
        file.write(orjson.dumps(trail_event(310, "DeleteTrail")) + b"\n")
    code, page = replayed()
    assert code == 1
    assert page["counts"] == counts(changed=3)
    differs = sorted(text for one in page["differences"] for text in one["differs"])
    assert differs == ["4 events, was 3", *["level critical, was medium"] * 2]


def test_a_new_version_of_a_rule_is_a_change(
    replayed: Callable[..., tuple[int, dict[str, Any]]], stored: Path
) -> None:
    found = [orjson.loads(line) for line in stored.read_text().splitlines()]
    for number, finding in enumerate(found):
        finding["finding_id"] = f"of-version-0-{number}"
    stored.write_bytes(b"\n".join(map(orjson.dumps, found)))
    code, page = replayed()
    assert (code, page["counts"]) == (1, counts(changed=3))
    assert {text for one in page["differences"] for text in one["differs"]} == {"another version of the rule"}


def test_a_window_that_crosses_the_period_is_at_its_edge_and_not_gone(
    replayed: Callable[..., tuple[int, dict[str, Any]]],
) -> None:
    cut = ("--since", "2026-05-01T10:05:01Z", "--until", "2026-05-02")
    code, page = replayed(period=cut)
    assert (code, page["counts"]) == (0, counts(at_the_edge=1))
    (edge,) = page["differences"]
    assert edge["verdict"] == "at the edge" and edge["finding"]["title"] == "Three deletions"
    near = ("--since", "2026-05-01T10:04:30Z", "--until", "2026-05-02")
    assert replayed(period=near)[1]["counts"] == counts(unchanged=1)
    before = ("--since", "2026-05-01", "--until", "2026-05-01T10:05:01Z")
    assert replayed(period=before)[1]["counts"] == counts(unchanged=2, at_the_edge=1)


def test_findings_of_other_times_and_sources_and_provisional_ones_are_not_compared(
    replayed: Callable[..., tuple[int, dict[str, Any]]], stored: Path
) -> None:
    found = [orjson.loads(line) for line in stored.read_text().splitlines()]
    early = dict.fromkeys(("event_time", "first_time", "last_time"), "2026-04-30T23:59:59.000Z")
    others = (
        {"source": "vault_audit"},
        early,
        {"status": "provisional"},
        {"rule_id": "davylamp-alias"},
    )
    more = [found[0] | change | {"finding_id": f"other-{n}"} for n, change in enumerate(others)]
    stored.write_bytes(b"\n".join(map(orjson.dumps, [*found, *more])))
    code, page = replayed()
    assert (code, page["counts"]) == (0, counts(unchanged=3))
    assert page["left_out"] == {"provisional": 1, "davylamp-alias": 1}


def test_the_same_event_or_finding_twice_is_one(
    replayed: Callable[..., tuple[int, dict[str, Any]]], stored: Path, events: Path
) -> None:
    stored.write_text(stored.read_text() * 2)
    events.write_text(events.read_text() * 2)
    code, page = replayed()
    assert (code, page["counts"]) == (0, counts(unchanged=3))
    stored.write_text("")
    assert replayed()[1]["counts"] == counts(new=3)


def test_a_correlation_over_two_sources_is_named_and_not_compared(
    replayed: Callable[..., tuple[int, dict[str, Any]]], rules: Path, stored: Path
) -> None:
    (rules / "vault.yml").write_text(
        "title: Vault read\nid: 5f0d6c58-30fb-4b0c-9d9e-6f6b7a0d9a03\nlevel: low\n"
        "logsource: {product: vault, service: audit}\ndetection: {sel: {type: response}, condition: sel}\n"
    )
    both = BURST.replace("9b01", "9b02").replace("Three deletions", "Both").replace("event_count", "temporal")
    both = both.replace("9a02]", "9a02, 5f0d6c58-30fb-4b0c-9d9e-6f6b7a0d9a03]")
    (rules / "both.yml").write_text(both.replace("  condition: {gte: 3}\n", ""))
    first = orjson.loads(stored.read_text().splitlines()[0])
    crossing = first | {"rule_id": "5f0d6c58-30fb-4b0c-9d9e-6f6b7a0d9b02", "finding_id": "crossing"}
    with stored.open("ab") as file:
        file.write(orjson.dumps(crossing))
    code, page = replayed()
    assert (code, page["counts"]["gone"]) == (0, 0)
    assert page["left_out"] == {"5f0d6c58-30fb-4b0c-9d9e-6f6b7a0d9b02": 1}


def test_people_get_a_line_a_difference_and_a_summary_and_ci_a_junit_report(
    command: Callable[..., Any], events: Path, rules: Path, stored: Path, tmp_path: Path
) -> None:
    lines = [line for line in stored.read_text().splitlines() if "StopLogging" not in line]
    ghost = orjson.loads(lines[0]) | {
        "finding_id": "gone-\x1b[31m",
        "event_id": "e",
        "event_ids": ["e"],
        "explain": "was \x1b[31m\ud800".encode("utf-8", "replace").decode(),
    }
    stored.write_bytes(b"\n".join([*(line.encode() for line in lines), orjson.dumps(ghost)]))
    with events.open("ab") as file:
        file.write(b'{"eventName": "Sto\n')
    junit = tmp_path / "replay.xml"
    words = ("--no-builtin", "--rules", rules, "--against", stored, *DAY, "--junit", junit)
    ran = command("replay", events, "--source", "cloudtrail", *words)
    assert ran.returncode == 1
    assert sum(line.startswith("new ") for line in ran.stdout.splitlines()) == 2
    assert sum(line.startswith("gone ") for line in ran.stdout.splitlines()) == 1
    assert "Three deletions" in ran.stdout and "\x1b" not in ran.stdout
    assert "replaying cloudtrail since 2026-05-01T00:00:00.000Z" in ran.stderr
    assert "1 unreadable: 1 truncated" in ran.stderr
    suites = {suite.get("name"): suite for suite in ElementTree.fromstring(junit.read_bytes())}
    assert suites["Saw StopLogging"].get("failures") == "2"
    burst = suites["Three deletions"]
    assert [case.get("name") for case in burst] == ["1 unchanged", "gone gone-?[31m"]
    assert burst.get("tests") == "2" and burst.get("failures") == "1"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "stored.jsonl:1: not JSON"),
        ("[]", "not an object"),
        ('{"schema": "other/1"}', "schema is"),
        (orjson.dumps(FAR).decode(), "not a finding"),
    ],
)
def test_a_file_that_holds_no_findings_is_named(
    command: Callable[..., Any], events: Path, tmp_path: Path, line: str, told: str
) -> None:
    wrong = tmp_path / "stored.jsonl"
    wrong.write_text(line, encoding="utf-8")
    ran = command("replay", events, "--source", "cloudtrail", "--against", wrong, *DAY)
    assert ran.returncode == 3
    assert told in ran.stderr and "Traceback" not in ran.stderr


def test_files_that_are_missing_and_times_that_are_none_are_said(
    command: Callable[..., Any], events: Path, tmp_path: Path
) -> None:
    none = tmp_path / "none.jsonl"
    ran = command("replay", events, "--source", "cloudtrail", "--against", none, *DAY)
    assert (ran.returncode, "none.jsonl" in ran.stderr) == (3, True)
    none.write_text("")
    ran = command("replay", tmp_path / "away.jsonl", "--source", "cloudtrail", "--against", none, *DAY)
    assert (ran.returncode, "away.jsonl" in ran.stderr) == (3, True)
    turned = ("--since", "2026-05-02", "--until", "2026-05-01")
    ran = command("replay", events, "--source", "cloudtrail", "--against", none, *turned)
    assert (ran.returncode, "--until is not after --since" in ran.stderr) == (2, True)
