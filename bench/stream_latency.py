"""From a record's append in Kafka to its finding, at a steady rate.

Run `python bench/stream_latency.py --rate 5000 --seconds 20 [--rules DIR]`.

One detect worker (a process of its own) with the shipped rules and those of `--rules`, a real Kafka that the
tests' own part starts. One CloudTrail call in a hundred stops a trail. The delay ends when a reader of
`davylamp.findings` has the finding; its begin is the time that the broker gave the record. Prints JSON:
milliseconds. Figures, never a test.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from kafka_to_findings import event
from stream import broker, child, document
from stream_input import PARTITIONS, make_topics

from config.settings import Settings
from connectors.kafka.topics import FINDINGS
from connectors.sources.catalogue import profile
from detectors.event import Locator

TOPIC = "aws.cloudtrail"
ONE_IN = 100
_TICK_S = 0.01
_SETTLE_S = 8.0


def call(number: int) -> dict[str, Any]:
    """Return one CloudTrail call; one in a hundred is found by a rule."""
    made: dict[str, Any] = event(number)
    made["eventName"] = "StopLogging" if number % ONE_IN == 0 else "GetBucketAcl"
    made["eventSource"] = "cloudtrail.amazonaws.com" if number % ONE_IN == 0 else "s3.amazonaws.com"
    return made


class Watching:
    """Which finding came when, and which record was appended when; milliseconds."""

    def __init__(self) -> None:
        self.appended: dict[str, float] = {}
        self.found: dict[str, float] = {}

    async def read(self, consumer: AIOKafkaConsumer) -> None:
        """Read findings until cancelled."""
        async for record in consumer:
            now = time.time() * 1000
            for event_id in orjson.loads(record.value or b"{}").get("event_ids", ()):
                self.found.setdefault(event_id, now)

    async def send(self, producer: AIOKafkaProducer, rate: int, seconds: float, first: int) -> None:
        """Send `rate` calls a second, evenly."""
        began, number = time.perf_counter(), 0
        while number < rate * seconds:
            due = int((time.perf_counter() - began) * rate)
            for _ in range(min(due, int(rate * seconds)) - number):
                made = call(first + number)
                sent = await producer.send(TOPIC, orjson.dumps(made), partition=number % PARTITIONS)
                if (first + number) % ONE_IN == 0:
                    event_id = profile("cloudtrail").parse(made, Locator(TOPIC, 0, 0, 0)).event_id
                    sent.add_done_callback(lambda done, name=event_id: self._confirmed(name, done))
                number += 1
            await asyncio.sleep(_TICK_S)

    def _confirmed(self, event_id: str, done: asyncio.Future[Any]) -> None:
        self.appended[event_id] = done.result().timestamp

    def delays(self) -> list[float]:
        """Return the delays of the records whose finding came, sorted."""
        return sorted(self.found[name] - at for name, at in self.appended.items() if name in self.found)


async def measure(brokers: str, settings: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """Let a worker run, send, and tell the delays of what was sent after the first fifth."""
    consumer = AIOKafkaConsumer(FINDINGS, bootstrap_servers=brokers, fetch_max_wait_ms=5)
    producer = AIOKafkaProducer(bootstrap_servers=brokers, acks="all")
    await consumer.start()
    await producer.start()
    warm, watching = Watching(), Watching()
    total = int(options.rate * options.seconds)
    told = {"settings": settings, "count": total, "warm": total // 5, "core": None}
    worker = asyncio.create_task(asyncio.to_thread(child, "detect", told))
    reader = asyncio.create_task(watching.read(consumer))
    try:
        await asyncio.sleep(_SETTLE_S)
        await warm.send(producer, options.rate, options.seconds / 5, 0)
        await watching.send(producer, options.rate, options.seconds * 4 / 5, total // 5)
        used = await worker
        await asyncio.sleep(1.0)
    finally:
        reader.cancel()
        await producer.stop()
        await consumer.stop()
    delays = watching.delays()
    quantiles = statistics.quantiles(delays, n=100)
    return {
        "events_per_s": options.rate,
        "records_with_a_finding": len(watching.appended),
        "findings_seen": len(delays),
        "ms_p50": round(quantiles[49], 1),
        "ms_p99": round(quantiles[98], 1),
        "ms_worst": round(delays[-1], 1),
        "worker_cpu_us_per_event": round(used["cpu_us"], 1),
    }


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bootstrap")
    parser.add_argument("--rate", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rules", type=Path)
    options = parser.parse_args()
    with broker(options.bootstrap) as brokers, tempfile.TemporaryDirectory() as folder:
        settings = document(brokers, Path(folder), options.rules)
        make_topics(Settings.model_validate(settings))
        print(json.dumps(asyncio.run(measure(brokers, settings, options)), indent=1))


if __name__ == "__main__":
    main()
