"""How long correlate takes from kill -9 to its first finding with many table keys.

Run `python bench/recovery.py --bootstrap HOST:PORT [--keys N] [--faust] [--json]` on a broker without topics
of Davylamp; they are made there, and stay. The changelog is filled with the states that correlate writes for
groups of one match each, by its own evaluator. A worker starts, takes part in its group, and is killed
(SIGKILL). Then a second match for one of those groups is written and another worker is started: the finding
needs the state of the first match. The clock runs from the kill: it holds the start of the process, the wait
for the dead member's session (6 s here), reading the tables, and the finding's way to its topic. `--faust`
measures Faust's own recovery, a record at a time, instead of the bulk. A measurement, never a test.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from correlate import BURST, PARTITIONS, START, Message, matched, settings_of
from prometheus_client import CollectorRegistry

from config.settings import Settings
from connectors.kafka.admin import administering
from connectors.kafka.client import consumer_options, producer_options
from connectors.kafka.topics import FINDINGS, MATCHES, changelog_definitions, create_topics, make_topics
from daemon.reloading_rules import StreamRules
from daemon.roles.correlate import recovery, run
from daemon.roles.correlate.evaluation import Record
from daemon.roles.correlate.matches import MatchEvaluator
from daemon.roles.correlate.metrics import Metrics
from daemon.roles.correlate.rules import correlations
from daemon.roles.correlate.watermark import Watermarks
from daemon.runtime import Health, Runtime

CHANGELOGS = tuple(f"davylamp-correlate-{table}-changelog" for table in ("correlations", "baselines"))
WAIT_S = 240.0
BATCH = 2_000


class Nothing:
    """States of an empty table."""

    def read(self, key: str, partition: int) -> bytes | None:
        """Return that there is none."""
        return None

    def keys_of(self, partition: int) -> list[str]:
        """Return no keys."""
        return []


def states(settings: Settings, keys: int) -> Iterator[Message]:
    """Yield the changelog records of so many groups of one match."""
    rules = correlations(StreamRules(settings.detection).load()[0])
    judge = MatchEvaluator(rules, lambda: Watermarks({}, lambda _: 0.0), Metrics(CollectorRegistry()))
    for begin in range(0, keys, BATCH):
        records = [_record(number) for number in range(begin, min(begin + BATCH, keys))]
        for write in judge.evaluate(records, Nothing()).writes:
            yield Message(write.partition, orjson.dumps(write.key), write.value or b"")


def _record(number: int) -> Record:
    message = first_match(number)
    return Record(message.partition, number, message.key, message.value, START)


def first_match(number: int) -> Message:
    """Return the one match that a group's state holds."""
    return matched(f"u{number}", f"{number:08x}-7c1f-4b0e-9a55-{number:012x}", START + number / 1e6)


async def prepare(settings: Settings, keys: int) -> int:
    """Make topics and changelogs and fill the latter; return how many bytes."""
    await create_topics(settings)
    async with administering(settings.kafka) as admin:
        await make_topics(admin, changelog_definitions(settings.kafka, CHANGELOGS))
    written = 0
    options: dict[str, Any] = producer_options(settings.kafka)
    options |= {"request_timeout_ms": 60_000, "max_batch_size": 256 * 1024}
    async with AIOKafkaProducer(**options) as producer:
        for number, message in enumerate(states(settings, keys)):
            written += len(message.value)
            await producer.send(CHANGELOGS[0], message.value, key=message.key, partition=message.partition)
            if number % BATCH == 0:
                await producer.flush()
    return written


async def wait_for_finding(settings: Settings, message: Message) -> None:
    """Write one match and return when a finding of its group is there."""
    consumer = AIOKafkaConsumer(FINDINGS, **{**consumer_options(settings.kafka, "unused"), "group_id": None})
    async with consumer, AIOKafkaProducer(**producer_options(settings.kafka)) as producer:
        await producer.send_and_wait(MATCHES, message.value, key=message.key, partition=message.partition)
        async with asyncio.timeout(WAIT_S):
            async for record in consumer:
                finding: Any = orjson.loads(record.value or b"{}")
                if finding["rule_id"] == BURST and finding["count"] == 2:
                    return


async def work(settings: Settings, bulk: bool) -> None:
    """Correlate until SIGTERM; print when the tables are there."""
    if not bulk:
        recovery.FEWEST = sys.maxsize  # type: ignore[misc]
    registry = CollectorRegistry()
    runtime = Runtime("correlate", Health(time.time, registry), registry, time.time, asyncio.Event())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, runtime.stop.set)
    working = asyncio.create_task(run(settings, runtime))
    while not runtime.health.ready() and not working.done():  # noqa: ASYNC110 - health has no event
        await asyncio.sleep(0.05)
    used = time.process_time()
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    groups: Any = runtime.status()["groups"]
    print(json.dumps({"groups": groups["correlations"], "cpu_s": used, "rss_mb": rss}), flush=True)
    await working


def worker(brokers: str, folder: Path, bulk: bool) -> subprocess.Popen[str]:
    """Start a worker."""
    way = "bulk" if bulk else "faust"
    command = [sys.executable, __file__, "--worker", brokers, str(folder), way]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def measure(brokers: str, folder: Path, keys: int, bulk: bool) -> dict[str, Any]:
    """Prepare, kill, measure."""
    settings = settings_of(brokers, folder, 2)
    size = asyncio.run(prepare(settings, keys))
    first = worker(brokers, folder, bulk)
    began = time.perf_counter()
    ready(first)
    cold = time.perf_counter() - began
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    killed = time.perf_counter()
    second = worker(brokers, folder, bulk)
    try:
        known = first_match(keys // 2)
        again = known._replace(value=known.value.replace(b"-7c1f-", b"-0000-"))
        asyncio.run(wait_for_finding(settings, again))
        found = time.perf_counter() - killed
        told = ready(second)
    finally:
        second.terminate()
        second.wait()
    return {
        "way": "bulk" if bulk else "faust",
        "keys": told["groups"],
        "changelog_mb": round(size / 1e6),
        "start_to_ready_s": round(cold, 1),
        "kill_to_first_finding_s": round(found, 1),
        "worker_cpu_s": round(told["cpu_s"], 1),
        "rss_mb": round(told["rss_mb"]),
    }


def ready(child: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait until a worker says that it is ready; return what it said."""
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith('{"groups"'):
            return json.loads(line)
    raise SystemExit("the worker ended by itself")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap")
    parser.add_argument("--keys", type=int, default=200_000)
    parser.add_argument("--faust", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        brokers, folder, way = given.worker
        uvloop.run(work(settings_of(brokers, Path(folder), 2), way == "bulk"))
        return
    if not given.bootstrap:
        parser.error("--bootstrap HOST:PORT is needed: a broker that has no topics of Davylamp")
    with tempfile.TemporaryDirectory() as name:
        row = measure(given.bootstrap, Path(name), given.keys, not given.faust)
    print(json.dumps(row) if given.json else f"{PARTITIONS} partitions, {row}")


if __name__ == "__main__":
    main()
