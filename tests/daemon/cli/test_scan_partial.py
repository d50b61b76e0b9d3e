"""`scan` says the same of every file, whether events that no rule can match are decoded as a whole or not."""

from __future__ import annotations

import gzip
import random
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

import detectors.rules
from config.detection import Detection
from daemon.ruleset import ruleset
from daemon.scan_tally import Period, Tally
from daemon.scanning import FileReader, Gathered, Reading, scan
from detectors.finding import rfc3339

START = 1_780_000_000
KINDS = ("cloudtrail", "kubernetes_audit")
DAY_S = 86400.0
FOLDER = Path(str(detectors.rules.__file__)).parent / "cloudtrail"
Command = Callable[..., subprocess.CompletedProcess[str]]


def cloudtrail(number: int) -> dict[str, Any]:
    names = ["GetObject", "PutObject", "StopLogging", "CreateAccessKey", "ConsoleLogin"]
    name = names[number % 5 if number % 50 < 5 else number % 2]
    return {
        "eventVersion": "1.11",
        "eventName": name,
        "eventSource": "cloudtrail.amazonaws.com" if name == "StopLogging" else "s3.amazonaws.com",
        "eventTime": rfc3339(START + number)[:19] + "Z",
        "eventID": f"00000000-0000-4000-8000-{number:012d}",
        "userIdentity": {"type": ("Root", "IAMUser", "AssumedRole")[number % 3], "userName": "eve"},
        "requestParameters": None if number % 4 else {"bucketName": "b", "userName": "mallory"},
    }


def kubernetes_audit(number: int) -> dict[str, Any]:
    busy = number % 40 == 0
    return {
        "auditID": f"00000000-0000-4000-8000-{number:012d}",
        "stage": "ResponseComplete",
        "verb": "list" if busy else ("get", "watch", "create")[number % 3],
        "user": {"username": f"user-{number % 7}", "groups": ["system:authenticated"]},
        "objectRef": {"resource": "secrets" if busy else ("pods", "leases")[number % 2]},
        "responseStatus": {"code": (403, 200)[number % 2] if busy else 200},
        "stageTimestamp": rfc3339(START + number),
    }


MADE = {"cloudtrail": cloudtrail, "kubernetes_audit": kubernetes_audit}


def records(kind: str, count: int, first: int = 0) -> list[dict[str, Any]]:
    return [MADE[kind](number) for number in range(first, first + count)]


def broken(kind: str, count: int) -> bytes:
    """Return JSON Lines of which many are damaged in one way each."""
    chance, out = random.Random(7), []
    for record in records(kind, count):
        line = bytearray(orjson.dumps(record))
        at = chance.randrange(len(line))
        match chance.randrange(16):
            case 0:
                line[at] ^= 1 << chance.randrange(8)
            case 1:
                line = line[:at]
            case 2:
                line[-1:] = b',"x":1e999}'
            case 3:
                line[-1:] = b',"x":' + b"[" * 200 + b"]" * 200 + b"}"
            case 4:
                line[-1:] = b',"userIdentity.type":"Root","objectRef.resource":"secrets"}'
            case 5:
                line[-1:] = b',"kubernetes":{"pod_name":"p"}}'
            case 6:
                line = bytearray(orjson.dumps({"Records": [record, {"nonsense": 1}]}))
            case 7:
                line[-1:] = b',"x":"\xff"}'
            case 8:
                line = bytearray(b"\n\n ")
            case _:
                pass
        out.append(bytes(line))
    return b"\n".join(out)


def files(folder: Path, kind: str) -> list[Path]:
    lines = [orjson.dumps(record) + b"\n" for record in records(kind, 3000)]
    contents = {
        "plain.jsonl": b"".join(lines),
        "packed.jsonl.gz": gzip.compress(b"".join(lines[:900])),
        "cut.jsonl.gz": gzip.compress(b"".join(lines))[:-2000],
        "records.json": orjson.dumps({"Records": records(kind, 200, 5000)}),
        "array.json": orjson.dumps(records(kind, 200, 6000), option=orjson.OPT_INDENT_2),
        "broken.jsonl": broken(kind, 3000),
        "windows.jsonl": b"\r\n".join(line.strip() for line in lines[:300]),
        "empty.jsonl": b"",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]


PERIODS = [Period(), Period(START + 500, START + 1500.5), Period(end=START + 1000)]


@pytest.mark.parametrize("period", PERIODS, ids=["always", "between", "until"])
@pytest.mark.parametrize("kind", KINDS)
def test_findings_and_counts_are_those_of_the_full_way(tmp_path: Path, kind: str, period: Period) -> None:
    paths, rules = files(tmp_path, kind), ruleset(Detection())
    answers: list[tuple[Tally, list[Any]]] = []
    for whole in (True, False):
        tally = Tally()
        found = scan(paths, kind, rules, learning_s=DAY_S, tally=tally, period=period, whole=whole)
        answers.append((tally, [located.to_json() for located in found]))
    assert answers[0] == answers[1]
    tally, findings = answers[0]
    assert tally.events > 2000 and tally.rejected and findings


def test_most_events_are_not_decoded_as_a_whole(tmp_path: Path) -> None:
    few = [FOLDER / f"{name}.yml" for name in ("trail_stopped", "trail_changed", "console_login_without_mfa")]
    (path, *_), rules = (
        files(tmp_path, "cloudtrail"),
        ruleset(Detection(builtin_rules=False, rules=tuple(few))),
    )
    seen: list[int] = []
    reader = FileReader(Reading("cloudtrail", rules))
    list(reader.read(path, _Counting(seen)))
    assert 0 < sum(seen) < 1500


class _Counting(Gathered):
    """Counts the events that were read in full."""

    def __init__(self, seen: list[int]) -> None:
        super().__init__(Tally())
        self._seen = seen

    def take(self, *args: Any) -> Sequence[Any]:
        self._seen.append(1)
        return super().take(*args)


def test_new_values_all_the_time_change_no_answer(tmp_path: Path) -> None:
    path, rules = tmp_path / "flood.jsonl", ruleset(Detection())
    flood = [{**cloudtrail(number), "eventName": f"Name{number}"} for number in range(12_000)]
    path.write_bytes(
        b"".join(orjson.dumps(record) + b"\n" for record in [*flood, *records("cloudtrail", 2000)])
    )
    counts = []
    for whole in (True, False):
        tally = Tally()
        counts.append(
            (
                sum(1 for _ in scan([path], "cloudtrail", rules, learning_s=None, tally=tally, whole=whole)),
                tally,
            )
        )
    assert counts[0] == counts[1]
    assert counts[0][1].events == 14_000 and counts[0][0]


@pytest.mark.parametrize("kind", KINDS)
def test_processes_print_what_one_prints(tmp_path: Path, kind: str, command: Command) -> None:
    paths = files(tmp_path, kind)
    one, two = (
        command("scan", *paths, "--source", kind, "--json", "--summary", "--jobs", jobs) for jobs in (1, 2)
    )
    assert one.stdout and (one.stdout, one.stderr, one.returncode) == (two.stdout, two.stderr, two.returncode)
