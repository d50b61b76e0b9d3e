"""`scan`: many files, several processes, event times, levels, formats, a summary, a bar on terminals."""

from __future__ import annotations

import csv
import io
import multiprocessing
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from daemon.cli.scan_jobs import WorkerLostError, scan_in_processes
from daemon.scanning import Reading, Tally
from detectors.rules import builtin
from detectors.sigma.ruleset import RuleSet

SCAN = ("--source", "cloudtrail")
BURST = """\
title: Reads
id: 5f0d6c58-30fb-4b0c-9d9e-6f6b7a0d9b01
name: reads
level: informational
logsource: {product: istio}
detection: {sel: {method: GET}, condition: sel}
---
title: Burst of reads
id: 5f0d6c58-30fb-4b0c-9d9e-6f6b7a0d9b02
level: medium
correlation:
  type: event_count
  rules: [reads]
  group-by: [authority]
  timespan: 10s
  condition: {gte: 4}
  generate: true
"""


def lines(text: str) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in text.splitlines()]


@pytest.fixture
def mesh(saved: Callable[..., Path], tmp_path: Path) -> Path:
    """Seven files of calls: bursts cross the files, late first calls, one line that cannot be read."""
    for part in range(7):
        records: list[Any] = [
            {
                "start_time": f"2026-05-{1 + 4 * (number % 7):02d}T10:00:{part:02d}Z",
                "method": "GET",
                "path": "/",
                "response_code": 200,
                "response_code_details": "via_upstream",
                "upstream_cluster": f"outbound|443||h{number if part == 3 else 0}.example.net",
                "authority": f"h{number % 3}.example.net",
                "request_id": f"00000000-0000-4000-8000-{part:06d}{number:06d}",
                "namespace": "shop",
                "workload": "orders",
                "pod": "orders-1",
            }
            for number in range(21)
        ]
        saved(f"mesh/{part}.jsonl", [*records, "neither" if part == 5 else records[0]])
    (tmp_path / "mesh" / ".hidden").write_text("not read")
    return tmp_path / "mesh"


def test_several_processes_give_the_findings_of_one_in_the_same_order(
    command: Callable[..., Any], mesh: Path, tmp_path: Path
) -> None:
    (tmp_path / "burst.yml").write_text(BURST)
    words = ("scan", mesh, "--source", "istio_access", "--rules", tmp_path / "burst.yml", "--json")
    one, three = command(*words, "--jobs", "1"), command(*words, "--jobs", "3")
    assert one.returncode == three.returncode == 1, three.stderr
    assert one.stdout == three.stdout and one.stderr == three.stderr
    assert one.stderr == "1 unreadable: 1 wrong_type\n"
    found = lines(one.stdout)
    burst = next(f for f in found if f["title"] == "Burst of reads")
    assert len({place["file"] for place in burst["locations"]}) > 1
    assert any(f["rule_id"] != burst["rule_id"] and f["title"] != "Reads" for f in found), "no baseline spoke"


def test_a_missing_file_ends_several_processes_as_it_ends_one(
    command: Callable[..., Any], saved: Callable[..., Path], trail_event: Callable[..., Any]
) -> None:
    first = saved("first.jsonl", [trail_event(1, "StopLogging")])
    words = ("scan", first, "gone.jsonl", first, *SCAN, "--json", "--jobs")
    one, two = command(*words, "1"), command(*words, "2")
    assert one.returncode == two.returncode == 3
    assert (one.stdout, one.stderr) == (two.stdout, two.stderr)
    assert "gone.jsonl" in one.stderr and len(lines(one.stdout)) == 1


def test_a_folder_is_read_whole_and_an_empty_one_is_an_error(
    command: Callable[..., Any], saved: Callable[..., Path], trail_event: Callable[..., Any], tmp_path: Path
) -> None:
    saved("trail/b/2.json", [trail_event(2, "StopLogging")])
    saved("trail/a/1.json", [trail_event(1, "DeleteTrail")])
    (tmp_path / "empty").mkdir()
    done = command("scan", "trail", *SCAN, "--json")
    places = [f["locations"][0]["file"] for f in lines(done.stdout)]
    assert places == ["trail/a/1.json", "trail/b/2.json"]
    nothing = command("scan", "empty", *SCAN)
    assert nothing.returncode == 2 and "holds no file" in nothing.stderr


def test_event_times_from_and_before(
    command: Callable[..., Any], saved: Callable[..., Path], trail_event: Callable[..., Any]
) -> None:
    trail = saved("trail.jsonl", [trail_event(second, "StopLogging") for second in (10, 20, 30)])
    words = ("scan", trail, *SCAN, "--json", "--from", "2026-05-01T10:00:20Z")
    assert len(lines(command(*words).stdout)) == 2
    ended = command(*words, "--to", "2026-05-01T12:00:30+02:00")
    assert [f["event_time"] for f in lines(ended.stdout)] == ["2026-05-01T10:00:20.000Z"]
    assert command("scan", trail, *SCAN, "--from", "2026-05-02").returncode == 0
    for wrong in ("yesterday", "2026-05-01T10:00:20"):
        refused = command("scan", trail, *SCAN, "--from", wrong)
        assert refused.returncode == 2 and wrong in refused.stderr


def test_baselines_learn_before_the_asked_time_and_speak_inside_it(
    command: Callable[..., Any], mesh: Path
) -> None:
    words = ("scan", mesh, "--source", "istio_access", "--no-builtin", "--json")
    everything = lines(command(*words).stdout)
    assert {f["event_time"][:10] for f in everything} > {"2026-05-13"}
    late = lines(command(*words, "--from", "2026-05-13").stdout)
    assert late == [f for f in everything if f["event_time"] >= "2026-05-13"]


def test_a_level_leaves_lower_findings_out_of_everything(
    command: Callable[..., Any],
    saved: Callable[..., Path],
    rule: Callable[..., Path],
    trail_event: Callable[..., Any],
) -> None:
    trail = saved("trail.jsonl", [trail_event(1, "ListTrails"), trail_event(2, "GetTrail")])
    rule("rules/low.yml", 1, "ListTrails", "low")
    rule("rules/high.yml", 2, "GetTrail", "high")
    words = ("scan", trail, *SCAN, "--no-builtin", "--rules", "rules")
    done = command(*words, "--json", "--level", "high")
    assert [f["title"] for f in lines(done.stdout)] == ["Saw GetTrail"] and done.returncode == 1
    none = command(*words, "--level", "critical")
    assert (none.returncode, none.stdout, none.stderr) == (0, "", "0 findings\n")


def test_csv_has_a_heading_and_no_cell_that_a_spreadsheet_runs(
    command: Callable[..., Any],
    saved: Callable[..., Path],
    rule: Callable[..., Path],
    trail_event: Callable[..., Any],
) -> None:
    event = trail_event(
        1, "ListTrails", userIdentity={"type": "IAMUser", "arn": '=1+1,"a"\nb', "userName": "ada"}
    )
    rule("odd.yml", 1, "ListTrails").write_text(
        (Path(rule("odd.yml", 1, "ListTrails")).read_text()).replace("Saw ListTrails", "=cmd|' /C calc'!A0")
    )
    trail = saved("trail.jsonl", [event])
    done = command("scan", trail, *SCAN, "--no-builtin", "--rules", "odd.yml", "--format", "csv")
    heading, row = csv.reader(io.StringIO(done.stdout))
    found = dict(zip(heading, row, strict=True))
    assert found["title"] == "'=cmd|' /C calc'!A0" and found["line"] == "1"
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row)
    assert done.stderr == ""


def test_a_summary_by_rule_technique_and_entity_stands_on_stderr(
    command: Callable[..., Any], saved: Callable[..., Path], trail_event: Callable[..., Any]
) -> None:
    trail = saved("trail.jsonl", [trail_event(number, "StopLogging") for number in range(3)])
    done = command("scan", trail, *SCAN)
    assert len(done.stdout.splitlines()) == 3
    for told in (
        "3 findings",
        "3  Trail stopped or deleted (high)",
        "3  T1685.002",
        "3  address:198.51.100.7",
    ):
        assert told in done.stderr
    assert command("scan", trail, *SCAN, "--json").stderr == ""
    assert "by rules:" in command("scan", trail, *SCAN, "--json", "--summary").stderr


def test_the_bar_is_for_terminals_and_never_in_the_output(
    saved: Callable[..., Path], trail_event: Callable[..., Any]
) -> None:
    trail = saved("trail.jsonl", [trail_event(1, "StopLogging")])
    shown, out = on_a_terminal("scan", str(trail), *SCAN)
    assert b"events," in shown and b"%" in shown
    assert out.count(b"\n") == 1 and out.startswith(b"high ") and b"\x1b" not in out


def test_on_one_terminal_findings_and_bar_keep_lines_of_their_own(
    saved: Callable[..., Path], trail_event: Callable[..., Any]
) -> None:
    trail = saved("trail.jsonl", [trail_event(number, "StopLogging") for number in range(20)])
    shown, _ = on_a_terminal("scan", str(trail), *SCAN, "--no-summary", whole=True)
    assert len(re.findall(rb"high          2026", shown)) == 20
    assert len(re.findall(rb"(?:\n|\x1b\[2K)high          2026", shown)) == 20


def on_a_terminal(*words: str, whole: bool = False) -> tuple[bytes, bytes]:
    """Run the command with stderr (`whole`: stdout too) on a terminal; return what it shows, and stdout."""
    master, terminal = os.openpty()
    line = [sys.executable, "-m", "daemon", *words]
    environment = os.environ | {"TERM": "xterm"}
    out = terminal if whole else subprocess.PIPE
    with subprocess.Popen(line, stdout=out, stderr=terminal, env=environment) as done:
        os.close(terminal)
        shown = b""
        while block := _read(master):
            shown += block
        printed = b"" if done.stdout is None else done.stdout.read()
    os.close(master)
    return shown, printed


def test_a_process_that_dies_ends_the_scan_with_an_error_and_leaves_none_behind(
    saved: Callable[..., Path], trail_event: Callable[..., Any]
) -> None:
    paths = [saved(f"{number}.jsonl", [trail_event(number, "StopLogging")]) for number in range(30)]
    done: list[Path] = []
    found = scan_in_processes(
        paths,
        Reading("cloudtrail", RuleSet.load(builtin())),
        jobs=2,
        learning_s=0.0,
        tally=Tally(),
        done=done.append,
    )
    assert next(found).finding.level == "high"
    for process in multiprocessing.active_children():
        process.kill()
        process.join()
    with pytest.raises(WorkerLostError):
        list(found)
    assert len(done) < len(paths)
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_access_logs_in_a_format_of_ones_own_are_read_as_the_configuration_says(
    command: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, jobs: str
) -> None:
    refused = "rbac_access_denied_matched_policy[ns[shop]-policy[deny]-rule[0]]"
    caller = "caller=spiffe://td/ns/shop/sa/eve"
    for name in ("a.log", "b.log"):
        lines = [
            f"2026-11-23T10:00:{second:02d}.000Z {caller} GET 403 {refused} inbound|80||\n"
            for second in range(6)
        ]
        (tmp_path / name).write_text("".join(lines), encoding="utf-8")
    written = (
        "%START_TIME% caller=%DOWNSTREAM_PEER_URI_SAN% %REQ(:METHOD)% %RESPONSE_CODE% "
        "%RESPONSE_CODE_DETAILS% %UPSTREAM_CLUSTER%"
    )
    (tmp_path / "ours.yaml").write_text(f"istio: {{text_formats: ['{written}']}}\n", encoding="utf-8")
    words = ("scan", "a.log", "b.log", "--source", "istio_access", "--jobs", jobs, "--json")
    assert command(*words).stdout == ""
    done = command(*words, "--config", "ours.yaml")
    found = [orjson.loads(line) for line in done.stdout.splitlines()]
    assert {(item["count"], item["entities"][0]["id"]) for item in found} == {(12, "shop/eve")}, done.stderr


def _read(terminal: int) -> bytes:
    """Return what stands on the terminal, nothing when its other side is closed."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""
