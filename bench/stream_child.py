"""One worker of the stream's benchmarks in a process of its own, pinned to one core; prints one JSON object.

`python bench/stream_child.py WHAT '{"settings": {...}, "count": N, "warm": W, "core": C}'`. CPU time is that
of the whole process, from `warm` records on (what rules learn of a stream is learnt then) to the last commit.
"""

from __future__ import annotations

import asyncio
import cProfile
import json
import os
import pstats
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition
from prometheus_client import CollectorRegistry
from stream_input import PARTITIONS, SHARES

from config.settings import Role, Settings
from connectors.ecs.stream import Document
from connectors.kafka.client import consumer_options
from connectors.kafka.producer import ConfirmedProducer
from connectors.siem.target import DELIVERED, ItemOutcome
from daemon.garbage import settle
from daemon.roles.detect import role as detect_role
from daemon.roles.detect.stage import DetectStage
from daemon.roles.forward.forwarder import Forwarder
from daemon.runtime import Health, Runtime
from daemon.wiring import role_function

_LOOK_S = 0.25
Measured = tuple[float, float, int]
"""CPU and clock seconds, and of how many records."""


async def bare(settings: Settings, count: int) -> Measured:
    """Measure reading and decoding `count` records."""
    options: dict[str, Any] = consumer_options(settings.kafka, "unused")
    options["group_id"] = None
    consumer = AIOKafkaConsumer(**options)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, n) for topic in SHARES for n in range(PARTITIONS)])
        read, began, wall = 0, time.process_time(), time.perf_counter()
        while read < count:
            for records in (await consumer.getmany(timeout_ms=500, max_records=2000)).values():
                for record in records:
                    orjson.loads(record.value or b"{}")
                read += len(records)
        return time.process_time() - began, time.perf_counter() - wall, read
    finally:
        await consumer.stop()


class NullTarget:
    """A target that takes everything and does nothing."""

    name = "null"

    async def open(self) -> None:
        """There is nothing to open."""

    async def deliver(self, batch: Sequence[Document]) -> Sequence[ItemOutcome]:
        """Say that all is delivered."""
        return [DELIVERED] * len(batch)

    async def close(self) -> None:
        """There is nothing to close."""


async def forward_null(settings: Settings, runtime: Runtime) -> None:
    """Run the forwarder of one null target, as the forward role does for each of its targets."""

    def started() -> None:
        runtime.health.started = True

    def heard(_up: bool, _detail: str) -> None:
        """Nobody asks."""

    producer = ConfirmedProducer(settings.kafka, heard)
    forwarder = Forwarder(
        settings,
        NullTarget(),
        producer,
        stop=runtime.stop,
        clock=runtime.clock,
        jitter=lambda: 0.5,
        kafka_report=heard,
        target_report=heard,
        assigned=started,
    )

    def status() -> dict[str, object]:
        counted, violations, _ = forwarder.status()
        return {"conservation": {"null": counted}, "violations": violations}

    runtime.status = status
    settle()
    await forwarder.run()
    await producer.stop(1.0)


async def detect_whole(settings: Settings, runtime: Runtime) -> None:
    """Run detect as it is, but with every record decoded as a whole."""
    detect_role.DetectStage = partial(DetectStage, whole=True)  # type: ignore[misc, assignment]
    await detect_role.run(settings, runtime)


async def role(
    what: Role,
    work: Callable[[Settings, Runtime], Awaitable[None]],
    settings: Settings,
    counted: Callable[[Mapping[str, Any]], int],
    count: int,
    warm: int,
    profile: cProfile.Profile | None = None,
) -> Measured:
    """Measure a role from `warm` records (or its first assignment) to its last commit."""
    registry = CollectorRegistry()
    runtime = Runtime(what, Health(time.time, registry), registry, time.time, asyncio.Event())
    task = asyncio.ensure_future(work(settings, runtime))
    began: tuple[float, float, int] | None = None
    while True:
        await asyncio.sleep(_LOOK_S)
        if task.done():
            task.result()
            raise SystemExit(f"{what} ended")
        done = counted(runtime.status()) if runtime.health.started else 0
        if began is None:
            if runtime.health.started and done >= warm:
                began = time.process_time(), time.perf_counter(), done
                if profile is not None:
                    profile.enable()
        elif done >= count:
            used = time.process_time() - began[0], time.perf_counter() - began[1], done - began[2]
            if profile is not None:
                profile.disable()
            violations = runtime.status()["violations"]
            runtime.stop.set()
            await task
            if violations:
                raise SystemExit(f"laws broken: {violations}")
            return used


def records_read(status: Mapping[str, Any]) -> int:
    """Return how many records detect has read, by its own counters."""
    return sum(counts.get("records:read", 0) for counts in status["conservation"].values())


def records_forwarded(status: Mapping[str, Any]) -> int:
    """Return how many records forward has read and committed, by its own counters."""
    return sum(
        counts.get("records:read", 0)
        for target in status["conservation"].values()
        for counts in target.values()
    )


def main() -> None:
    """Measure and print."""
    what, told = sys.argv[1], json.loads(sys.argv[2])
    if told.get("core") is not None:
        os.sched_setaffinity(0, {told["core"]})
    settings = Settings.model_validate(told["settings"])
    profile = cProfile.Profile() if told.get("profile") else None
    count, warm = told["count"], told["warm"]
    work: dict[str, Callable[[], Awaitable[Measured]]] = {
        "bare": lambda: bare(settings, count),
        "detect": lambda: role(
            "detect", role_function("detect"), settings, records_read, count, warm, profile
        ),
        "whole": lambda: role("detect", detect_whole, settings, records_read, count, warm, profile),
        "forward": lambda: role(
            "forward", role_function("forward"), settings, records_forwarded, count, warm, profile
        ),
        "null": lambda: role("forward", forward_null, settings, records_forwarded, count, warm, profile),
    }
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        cpu, wall, read = runner.run(work[what]())  # pyright: ignore[reportArgumentType]
    if profile is not None:
        pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(45)
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu_us": cpu / read * 1e6, "wall_s": wall, "measured": read, "rss_mb": rss}))


if __name__ == "__main__":
    main()
