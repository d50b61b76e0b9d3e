"""Matches through the whole correlate role: events a second of the worker's CPU, from Kafka back to Kafka.

Run `python bench/correlate.py [--events N] [--groups G] [--runs R] [--bootstrap HOST:PORT] [--json]`. Without
`--bootstrap` on the embedded broker of the demo's wheel; with it on a broker that has no topics of Davylamp
yet: `davylamp.*` and correlate's changelogs are made there, and stay. Matches of one event_count correlation
over `--groups` users, 1,000 a second of event time, one in ten of a hundredth of the users, and a heartbeat
a second of event time to each of the four partitions, all written before the worker starts. The worker is a
process of its own; its CPU time counts from the first batch that was acknowledged to the last, over the
records between the two: it holds Faust, reading, judging, findings and states confirmed, and acknowledging.
What Faust had fetched by then (at most 4,096 records) is a small gift. The figures are no test.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import orjson
import uvloop
from aiokafka import AIOKafkaProducer
from prometheus_client import CollectorRegistry

from config.settings import Settings
from connectors.kafka.client import producer_options
from connectors.kafka.topics import MATCHES, create_topics
from daemon.demo.parts.broker import BrokerPart
from daemon.garbage import settle
from daemon.roles.correlate import run
from daemon.runtime import Health, Runtime
from detectors.event import Entity
from detectors.sigma.match import Match

PARTITIONS = 4
A_SECOND = 1_000
START = 1_780_000_000.0
BASE = "6d0c3b0e-2c5f-4a4e-9c55-5b6a2f3f7a01"
BURST = "6d0c3b0e-2c5f-4a4e-9c55-5b6a2f3f7a02"
RULES = f"""title: Base
id: {BASE}
status: test
level: low
logsource: {{product: kubernetes, service: audit}}
detection:
  refused: {{responseStatus.code: 403}}
  condition: refused
---
title: Burst
id: {BURST}
status: test
level: medium
correlation:
  type: event_count
  rules: [{BASE}]
  group-by: [user.username]
  timespan: 60s
  condition: {{gte: COUNT}}
"""


class Message(NamedTuple):
    """One record of `davylamp.matches`."""

    partition: int
    key: bytes
    value: bytes


def messages(events: int, groups: int) -> Iterator[Message]:
    """Yield matches in the order of their times, and the heartbeats between them; ids are random."""
    chance = random.Random(7)
    for number in range(events):
        few = chance.random() < 0.1
        user = f"u{chance.randrange(max(1, groups // 100) if few else groups)}"
        at = START + number / A_SECOND
        yield matched(user, str(uuid.UUID(int=chance.getrandbits(128))), at)
        if number % A_SECOND == A_SECOND - 1:
            yield from heartbeats(at)


def matched(user: str, event_id: str, at: float) -> Message:
    """Return a match as detect writes it."""
    entities = (Entity("k8s_user", user, "actor"), Entity("address", "198.51.100.7", "source"))
    match = Match(
        BURST, BASE, (user,), event_id, at, "kubernetes_audit", "low", entities, f"{user} got secrets, denied"
    )
    key = match.key().encode()
    return Message(crc32(key) % PARTITIONS, key, orjson.dumps(match.to_json()))


def heartbeats(at: float) -> list[Message]:
    """Return a heartbeat to each partition: everything up to `at` (seconds) was read."""
    report = {
        "kind": "kubernetes_audit",
        "through_offset": 1,
        "max_event_time": at,
        "append_time": at,
        "idle": False,
    }
    document = {
        "kind": "heartbeat",
        "worker": "bench",
        "partition_counts": {"k8s.audit": 1},
        "partitions": {"k8s.audit/0": report},
    }
    return [Message(number, b"", orjson.dumps(document)) for number in range(PARTITIONS)]


def settings_of(brokers: str, folder: Path, count: int) -> Settings:
    """Return settings with the one correlation, 30 s of lateness; `count` events make a finding."""
    rules = folder / "rules"
    rules.mkdir(parents=True, exist_ok=True)
    (rules / "burst.yml").write_text(RULES.replace("COUNT", str(count)), encoding="utf-8")
    kafka = {
        "brokers": [brokers],
        "session_timeout_s": 6,
        "heartbeat_interval_s": 0.5,
        "internal_partitions": PARTITIONS,
        "topics": {
            "kubernetes_audit": ["k8s.audit"],
            "cloudtrail": [],
            "istio_access": [],
            "vault_audit": [],
        },
    }
    detection = {"builtin_rules": False, "rules": [rules], "lateness": {"kubernetes_audit": 30.0}}
    return Settings.model_validate({"state_dir": folder, "kafka": kafka, "detection": detection})


async def fill(settings: Settings, written: Callable[[], Iterator[Message]]) -> int:
    """Make the topics and write everything; return how many records."""
    await create_topics(settings)
    producer = AIOKafkaProducer(**producer_options(settings.kafka))
    await producer.start()
    count = 0
    try:
        for message in written():
            await producer.send(MATCHES, message.value, key=message.key, partition=message.partition)
            count += 1
        await producer.flush()
    finally:
        await producer.stop()
    return count


async def correlate(settings: Settings, count: int) -> dict[str, float]:
    """Return records judged and the CPU and wall seconds of it, from the first batch to the last."""
    registry = CollectorRegistry()
    runtime = Runtime("correlate", Health(time.time, registry), registry, time.time, asyncio.Event())
    task = asyncio.create_task(run(settings, runtime))
    first: tuple[int, float, float] | None = None
    while True:
        await asyncio.sleep(0.1)
        if task.done():
            task.result()
            raise SystemExit("correlate ended by itself")
        counts: Any = runtime.status().get("counts", {})
        done = total(counts.get("acknowledged", 0))
        if done and first is None:
            settle()
            first = done, time.process_time(), time.perf_counter()
        if first is not None and done >= count:
            used = time.process_time() - first[1]
            wall = time.perf_counter() - first[2]
            runtime.stop.set()
            await task
            found = total(counts["findings"])
            return {"records": done - first[0], "cpu_s": used, "wall_s": wall, "findings": found}


def total(counted: int | dict[str, int]) -> int:
    """Return what a counter shows, over all of its labels."""
    return counted if isinstance(counted, int) else sum(counted.values())


def child(brokers: str, folder: Path, count: int, threshold: int) -> None:
    """Measure in this process and print one JSON object."""
    settings = settings_of(brokers, folder, threshold)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(correlate(settings, count))
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**found, "rss_mb": rss}))


def measure(brokers: str, folder: Path, events: int, groups: int) -> dict[str, float]:
    """Fill a broker and run one child on it."""
    threshold = max(2, int(5 * 60 * A_SECOND / groups))
    count = asyncio.run(fill(settings_of(brokers, folder, threshold), lambda: messages(events, groups)))
    command = [sys.executable, __file__, "--child", brokers, str(folder), str(count), str(threshold)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output.splitlines()[-1])


def summary(runs: Sequence[dict[str, float]], groups: int) -> dict[str, object]:
    """Return the median and the spread."""
    rates = [run["records"] / run["cpu_s"] for run in runs]
    return {
        "groups": groups,
        "records": runs[0]["records"],
        "findings": runs[0]["findings"],
        "per_s_core": round(statistics.median(rates)),
        "spread": [round(min(rates)), round(max(rates))],
        "us_a_record": round(1e6 / statistics.median(rates), 1),
        "wall_per_s": round(statistics.median(run["records"] / run["wall_s"] for run in runs)),
        "rss_mb": round(max(run["rss_mb"] for run in runs)),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--groups", type=int, nargs="+", default=[10_000, 1_000])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--bootstrap")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.child:
        brokers, folder, count, threshold = given.child
        child(brokers, Path(folder), int(count), int(threshold))
        return
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as name:
        for groups in given.groups:
            runs: list[dict[str, float]] = []
            for number in range(1 if given.bootstrap else given.runs):
                folder = Path(name) / f"{groups}-{number}"
                if given.bootstrap:
                    runs.append(measure(given.bootstrap, folder, given.events, groups))
                    continue
                broker = BrokerPart(folder / "broker")
                broker.start()
                try:
                    runs.append(measure(broker.brokers, folder, given.events, groups))
                finally:
                    broker.stop()
            rows.append(summary(runs, groups))
            if not given.json:
                print(rows[-1], flush=True)
            if given.bootstrap:
                break
    if given.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
