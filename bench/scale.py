"""What a rate of events takes: workers, partitions, memory of groups, bytes; the arithmetic of docs/scale.md.

Run `python bench/scale.py [--rate N] [--events N] [--groups N] [--json]`. It runs bench/kafka_to_findings.py
for what an event costs detect, measures correlate's groups (CPU a match, resident memory a group, changelog
bytes a match, with and without the windows that are kept beside the states), and reckons. Cores are planned
70 % busy. The figures are a measurement, never a test.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import psutil
from prometheus_client import CollectorRegistry

from daemon.roles.correlate.evaluation import Evaluation, Record
from daemon.roles.correlate.matches import MatchEvaluator
from daemon.roles.correlate.metrics import Metrics
from daemon.roles.correlate.rules import correlations
from daemon.roles.correlate.watermark import Watermarks
from detectors.event import Entity
from detectors.sigma.document import RuleDocument
from detectors.sigma.match import Match
from detectors.sigma.ruleset import RuleSet

BUSY = 0.7
ONE_MATCH_IN = 1000
RAW_PARTITIONS_A_WORKER = 4
INTERNAL_PARTITIONS = 64
HEARTBEAT_BYTES = 200
HEARTBEAT_PLACE_BYTES = 150
BATCH = 500
BASE_ID = "9b0f6f3a-3d0d-4a3e-9d57-0a1b6c2e9d31"
RULE_ID = "9b0f6f3a-3d0d-4a3e-9d57-0a1b6c2e9d32"
BURST = f"""
title: Base
id: {BASE_ID}
status: test
level: low
logsource: {{product: aws, service: cloudtrail}}
detection: {{one: {{errorCode: AccessDenied}}, condition: one}}
---
title: Burst
id: {RULE_ID}
status: test
level: medium
correlation:
  type: event_count
  rules: [{BASE_ID}]
  group-by: [userIdentity.arn]
  timespan: 5m
  condition: {{gte: 10}}
"""


class Table:
    """Correlate's states as its Faust table holds them: a value a key, and the keys of each partition."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.keys: dict[int, set[str]] = {}

    def read(self, key: str, partition: int) -> bytes | None:
        """Return a state."""
        return self.values.get(key)

    def keys_of(self, partition: int) -> list[str]:
        """Return the keys of a partition, sorted."""
        return sorted(self.keys.get(partition, ()))

    def take(self, done: Evaluation) -> int:
        """Keep what a batch wrote; return its bytes."""
        for write in done.writes:
            self.values[write.key] = write.value or b""
            self.keys.setdefault(write.partition, set()).add(write.key)
        return sum(len(write.key) + len(write.value or b"") for write in done.writes)


def groups(count: int) -> dict[str, float]:
    """Measure `count` groups that hold one match each."""
    process = psutil.Process()
    rules = correlations(RuleSet.load([RuleDocument("bench", BURST)]))
    book = lambda: Watermarks({"aws.cloudtrail": "cloudtrail"}, lambda _: 0.0)  # noqa: E731
    judge = MatchEvaluator(rules, book, Metrics(CollectorRegistry()))
    states, written, used, before = Table(), 0, 0.0, process.memory_info().rss
    for first in range(0, count, BATCH):
        records = [record(number) for number in range(first, min(first + BATCH, count))]
        began = time.process_time()
        written += states.take(judge.evaluate(records, states))
        used += time.process_time() - began
    return {
        "groups": count,
        "cpu_us_a_match": round(used / count * 1e6, 1),
        "resident_mb": round((process.memory_info().rss - before) / 1e6),
        "changelog_bytes_a_match": round(written / count),
    }


def record(number: int) -> Record:
    """Return a match of a group of its own, as detect writes it."""
    user = f"arn:aws:sts::123456789012:assumed-role/service/session-{number}"
    event_id = f"00000000-0000-4000-8000-{number:012d}"
    where = (RULE_ID, BASE_ID, (user,), event_id, 1.78e9 + number / 1000, "cloudtrail", "low")
    match = Match(*where, (Entity("iam_principal", user, "actor"),), "access was denied")
    return Record(number % 4, number, match.key().encode(), orjson.dumps(match.to_json()), 1.78e9)


def asked(*command: str) -> dict[str, Any]:
    """Run a command of this folder and return the JSON of its last line."""
    program = Path(__file__).with_name(command[0])
    done = subprocess.run(
        [sys.executable, str(program), *command[1:]], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def measured(events: int, count: int) -> dict[str, Any]:
    """Measure detect, and correlate's groups at `count` and at twice as many."""
    detect = asked("kafka_to_findings.py", "--json", "--events", str(events), "--runs", "3")
    few, many = (asked("scale.py", "--only-groups", str(n)) for n in (count, 2 * count))
    return {
        "detect_us_an_event": detect["rows"]["detect"]["cpu_us_per_event"],
        "detect_spread_us": detect["rows"]["detect"]["spread_us"],
        "bytes_an_event": detect["bytes_per_event"],
        "correlate_us_a_match": many["cpu_us_a_match"],
        "changelog_bytes_a_match": many["changelog_bytes_a_match"],
        f"resident_mb_{count}_groups": few["resident_mb"],
        f"resident_mb_{2 * count}_groups": many["resident_mb"],
        "mb_a_million_more_groups": round((many["resident_mb"] - few["resident_mb"]) / count * 1e6),
    }


def reckoned(rate: int, known: dict[str, Any]) -> dict[str, float]:
    """Return what `rate` events a second take."""
    workers = math.ceil(rate * known["detect_us_an_event"] / 1e6 / BUSY)
    raw = RAW_PARTITIONS_A_WORKER * workers
    matches = rate / ONE_MATCH_IN
    beats = workers * 2 * INTERNAL_PARTITIONS
    beat_bytes = HEARTBEAT_BYTES + RAW_PARTITIONS_A_WORKER * HEARTBEAT_PLACE_BYTES
    mb = rate * known["bytes_an_event"] / 1e6
    return {
        "events a second": rate,
        "detect workers of one core": workers,
        "raw partitions": raw,
        "raw MB/s into Kafka": round(mb),
        "raw MB/s out, to detect and one SIEM target": round(2 * mb),
        "matches a second (one event in 1,000)": round(matches),
        "correlate workers": max(1, math.ceil(matches * known["correlate_us_a_match"] / 1e6 / BUSY)),
        "changelog MB/s": round(matches * known["changelog_bytes_a_match"] / 1e6, 2),
        f"heartbeats a second ({INTERNAL_PARTITIONS} partitions of matches and of flows)": beats,
        "heartbeat MB/s": round(beats * beat_bytes / 1e6, 1),
        "detect core-hours a billion events": round(known["detect_us_an_event"] * 1e9 / 1e6 / 3600, 1),
    }


def main() -> None:
    """Measure, reckon, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, nargs="*", default=[50_000, 200_000, 1_000_000])
    parser.add_argument("--events", type=int, default=40_000)
    parser.add_argument("--groups", type=int, default=200_000)
    parser.add_argument("--only-groups", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.only_groups is not None:
        print(json.dumps(groups(given.only_groups)))
        return
    known = measured(given.events, given.groups)
    columns = [reckoned(rate, known) for rate in given.rate]
    if given.json:
        print(json.dumps({"measured": known, "reckoned": columns}))
        return
    for name, figure in known.items():
        print(f"{name:40}{figure!s:>16}")
    for name in columns[0]:
        print(f"{name:64}" + "".join(f"{column[name]:>12,}" for column in columns))


if __name__ == "__main__":
    main()
