"""Commands that need no server: exit codes of the contract, JSON alone on stdout, errors with the way out."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

STOPPED = {
    "eventVersion": "1.11",
    "eventTime": "2026-05-01T10:00:00Z",
    "eventSource": "cloudtrail.amazonaws.com",
    "eventName": "StopLogging",
    "awsRegion": "eu-central-1",
    "sourceIPAddress": "198.51.100.7",
    "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/ada", "userName": "ada"},
    "requestParameters": {"name": "main"},
    "responseElements": None,
    "eventID": "0a0a0a0a-0000-4000-8000-000000000001",
    "eventType": "AwsApiCall",
}
QUIET = STOPPED | {"eventName": "DescribeTrails", "eventID": "0a0a0a0a-0000-4000-8000-000000000002"}


def davylamp(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "daemon", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    path = tmp_path / "trail.jsonl.gz"
    lines = [orjson.dumps(QUIET), orjson.dumps(STOPPED), b"{broken"]
    path.write_bytes(gzip.compress(b"\n".join(lines)))
    return path


def test_scan_prints_one_finding_a_line_with_its_place_and_exits_1(trail: Path) -> None:
    done = davylamp("scan", trail, "--source", "cloudtrail", "--json")
    [finding] = [orjson.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert finding["schema"] == "davylamp.finding/1"
    assert finding["event_ids"] == [STOPPED["eventID"]]
    assert finding["locations"] == [{"file": str(trail), "line": 2}]
    assert done.stderr.count("\n") == 1 and "1 unreadable" in done.stderr


def test_scan_exits_0_below_the_fail_level_and_3_for_a_missing_file(trail: Path) -> None:
    assert davylamp("scan", trail, "--source", "cloudtrail", "--fail-level", "critical").returncode == 0
    gone = davylamp("scan", trail.with_name("none"), "--source", "cloudtrail")
    assert gone.returncode == 3 and "none" in gone.stderr


def test_an_unknown_source_is_a_usage_error_that_names_the_allowed(trail: Path) -> None:
    done = davylamp("scan", trail, "--source", "clouds")
    assert done.returncode == 2
    assert "kubernetes_audit" in done.stderr


def test_scan_with_own_rules_only(trail: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "describe.yml").write_text(
        "title: Trails described\nid: 5f0d6c58-30fb-4b0c-9d9e-6f6b7a0d9a01\nlevel: medium\n"
        "logsource: {product: aws, service: cloudtrail}\n"
        "detection: {sel: {eventName: DescribeTrails}, condition: sel}\n"
    )
    done = davylamp("scan", trail, "--source", "cloudtrail", "--no-builtin", "--rules", rules, "--json")
    assert [orjson.loads(line)["title"] for line in done.stdout.splitlines()] == ["Trails described"]


def test_normalise_prints_the_documents_that_would_be_sent(trail: Path) -> None:
    done = davylamp("normalise", trail, "--source", "cloudtrail")
    documents = [orjson.loads(line) for line in done.stdout.splitlines()]
    assert [d["event"]["action"] for d in documents] == ["DescribeTrails", "StopLogging"]
    assert done.returncode == 0 and "1 unreadable" in done.stderr


def test_rules_check_says_file_line_reason_and_way_out_of_a_refusal(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yml"
    bad.write_text("title: no log source\ndetection: {s: {a: b}, condition: s}\n")
    done = davylamp("rules", "check", "--rules", bad)
    assert done.returncode == 1
    assert f"{bad}:1: Sigma rule must have a log source. See" in done.stdout
    assert davylamp("rules", "check").returncode == 0


def test_every_command_says_what_it_does() -> None:
    done = davylamp("--help")
    assert done.returncode == 0
    for name in ("demo", "run", "scan", "normalise", "rules", "incidents", "actions", "targets", "status"):
        assert f"\n  {name} " in done.stdout


def test_status_without_a_daemon_says_that_nothing_is_known(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    ports = {"detect": 1, "correlate": 1, "respond": 1, "forward": 1, "web": 1}
    config.write_bytes(orjson.dumps({"operation": {"health_ports": ports}}))
    done = davylamp("status", "--config", config)
    assert done.returncode == 1
    assert "not known of detect" in done.stdout and "accounted for" not in done.stdout


def test_run_refuses_an_incomplete_configuration_as_a_whole(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    ports = dict.fromkeys(("detect", "correlate", "respond", "forward", "web"), 0)
    config.write_bytes(
        orjson.dumps(
            {
                "kafka": {"brokers": ["127.0.0.1:1"]},
                "operation": {"health_ports": ports},
                "state_dir": str(tmp_path),
                "web": {"port": 0},
            }
        )
    )
    done = davylamp("run", "--config", config)
    assert done.returncode == 2
    assert "response.database_url" in done.stderr


def test_explain_shows_every_test_and_the_nearest_miss(trail: Path) -> None:
    words = ("rules", "explain", "trail_stopped", trail, "--source", "cloudtrail")
    done = davylamp(*words, "--event", QUIET["eventID"])
    assert done.returncode == 1, done.stderr
    assert "does not match" in done.stdout
    assert "nearest miss: no  eventName: " in done.stdout
    assert 'it is "DescribeTrails"' in done.stdout
    matching = (*words, "--event", STOPPED["eventID"])
    assert davylamp(*matching).returncode == 0
    document = orjson.loads(davylamp(*matching, "--json").stdout)
    assert (document["matches"], document["nearest_miss"]) == (True, [])


def test_explain_names_what_is_not_there(trail: Path) -> None:
    done = davylamp("rules", "explain", "no_such_rule", trail, "--source", "cloudtrail")
    assert done.returncode == 2
    assert "no_such_rule" in done.stderr


def test_a_fault_of_ours_is_no_result_but_exit_70() -> None:
    line = "import click; from daemon.cli.main import main; main(click.Command('x', callback=lambda: 1 / 0))"
    ran = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=False)
    assert ran.returncode == 70 and "ZeroDivisionError" in ran.stderr
