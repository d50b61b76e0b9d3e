"""The stream's speed on a real Kafka: what a worker of each role costs an event, beside a bare loop.

Run `python bench/stream.py detect|forward|workers [--bootstrap HOST:PORT] [--events N] [--runs R]
[--rules DIR]`; it prints JSON. Without --bootstrap it starts Apache Kafka as the tests do. Every
measurement is a process of its own on one core; the clock is its CPU time. All take turns in one run; median
and spread. Figures, never a test.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_MOST = 0.9
"""Of the records so many are waited for: a worker's share need not be exactly its part."""
_JOINED_S = 12.0
ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests" / "stack"))

from kafka.cluster import Cluster  # noqa: E402
from parts.kafka import KafkaPart  # noqa: E402
from parts.opensearch import OpenSearch3Part  # noqa: E402
from stream_input import fill, make_topics, messages  # noqa: E402

from config.forwarding import OpenSearchTarget  # noqa: E402
from config.settings import Settings  # noqa: E402
from connectors.siem.bootstrap import apply, standings  # noqa: E402
from connectors.siem.bulk_siem import BulkSiem  # noqa: E402
from connectors.siem.catalogue import target_of  # noqa: E402


@contextmanager
def broker(bootstrap: str | None) -> Iterator[str]:
    """Give the address of a broker: the one that is named, or one that ends with the block."""
    if bootstrap:
        yield bootstrap
        return
    with tempfile.TemporaryDirectory() as folder:
        part = KafkaPart(Path(folder) / "kafka")
        part.fetch()
        part.start()
        try:
            yield part.brokers
        finally:
            part.stop()


def document(brokers: str, folder: Path, rules: Path | None) -> dict[str, Any]:
    """Return the configuration of the workers."""
    return {
        "state_dir": str(folder),
        "kafka": {"brokers": [brokers], "session_timeout_s": 6, "heartbeat_interval_s": 1},
        "detection": {"rules": [str(rules)] if rules else []},
    }


def child(what: str, told: Mapping[str, Any]) -> dict[str, float]:
    """Measure once, in a process of its own."""
    command = (sys.executable, str(Path(__file__).with_name("stream_child.py")), what, json.dumps(told))
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ)
    if done.returncode:
        raise SystemExit(f"{what}: {done.stderr[-3000:]}")
    if told.get("profile"):
        print(done.stderr, file=sys.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def row(runs: list[dict[str, float]]) -> dict[str, Any]:
    """Return medians and spreads of one way."""
    each = [run["cpu_us"] for run in runs]
    return {
        "cpu_us_per_event": round(statistics.median(each), 2),
        "spread_us": [round(min(each), 2), round(max(each), 2)],
        "events_per_s_core": round(1e6 / statistics.median(each)),
        "rss_mb": round(max(run["rss_mb"] for run in runs)),
    }


def in_turns(
    brokers: str, ways: Mapping[str, str], options: argparse.Namespace, **more: Any
) -> dict[str, Any]:
    """Measure ways (name -> consumer group, "" for none) on the same records, in turns."""
    cluster = Cluster(brokers)
    cluster.wipe()
    runs: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        made = document(brokers, Path(folder), options.rules) | more
        make_topics(Settings.model_validate(made))
        found = messages(options.events)
        fill(brokers, found)
        told = {"settings": made, "count": len(found), "warm": len(found) // 3, "core": options.core}
        for _ in range(options.runs):
            for way, group in ways.items():
                if group in cluster.groups():
                    cluster.forget(group)
                runs[way].append(child(way, told | {"profile": options.profile}))
    return {
        "events": len(found),
        "bytes_per_event": round(statistics.mean(len(value) for _, value in found)),
        "rows": {way: row(each) for way, each in runs.items()},
        "ratio_to_bare": {way: ratio(runs["bare"], each) for way, each in runs.items() if way != "bare"},
    }


def ratio(bare: list[dict[str, float]], runs: list[dict[str, float]]) -> list[float]:
    """Return how much of the bare loop's speed a way reaches: median, least, greatest."""
    each = [a["cpu_us"] / b["cpu_us"] for a, b in zip(bare, runs, strict=True)]
    return [round(statistics.median(each), 3), round(min(each), 3), round(max(each), 3)]


def detect(brokers: str, options: argparse.Namespace) -> dict[str, Any]:
    """Measure detect beside the bare loop, and with every record decoded as a whole."""
    return in_turns(brokers, {"bare": "", "whole": "davylamp-detect", "detect": "davylamp-detect"}, options)


def workers(brokers: str, options: argparse.Namespace) -> dict[str, Any]:
    """Measure one detect worker and two that share the topics; both wait for the records."""
    found = messages(options.events)
    each: dict[int, list[list[dict[str, float]]]] = {1: [], 2: []}
    for _ in range(options.runs):
        for size, runs in each.items():
            runs.append(together(brokers, size, found, options))
    one, two = ([_mean(run) for run in each[size]] for size in (1, 2))
    times = [2 * a / b for a, b in zip(one, two, strict=True)]
    return {
        "events": len(found),
        "cpu_us_per_event": {size: [round(us, 2) for us in found] for size, found in ((1, one), (2, two))},
        "shares": [[round(one["measured"]) for one in run] for run in each[2]],
        "two_against_one": [round(statistics.median(times), 2), round(min(times), 2), round(max(times), 2)],
    }


def _mean(run: Sequence[Mapping[str, float]]) -> float:
    """Return what an event cost, of all workers of a run."""
    return sum(one["cpu_us"] * one["measured"] for one in run) / sum(one["measured"] for one in run)


def together(
    brokers: str, size: int, found: Sequence[tuple[str, bytes]], options: argparse.Namespace
) -> list[dict[str, float]]:
    """Return what each of `size` workers measured that share `found`, which comes when all are there."""
    Cluster(brokers).wipe()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(size) as pool:
        made = [document(brokers, Path(folder) / str(number), options.rules) for number in range(size)]
        make_topics(Settings.model_validate(made[0]))
        share = {"count": round(len(found) * _MOST / size), "warm": len(found) // 3 // size, "core": None}
        running = [pool.submit(child, "detect", share | {"settings": one}) for one in made]
        time.sleep(_JOINED_S)
        fill(brokers, found)
        return [one.result() for one in running]


def forward(brokers: str, options: argparse.Namespace) -> dict[str, Any]:
    """Measure forward to a null target and to a real OpenSearch; the server's own time is not in it."""
    with tempfile.TemporaryDirectory() as folder:
        part = OpenSearch3Part(Path(folder) / "opensearch")
        part.fetch()
        part.start()
        try:
            target = {"kind": "opensearch", "name": "opensearch", "urls": [part.url]}
            settings = OpenSearchTarget.model_validate(target)
            asyncio.run(bootstrapped(settings))
            ways = {"bare": "", "null": "davylamp-forward-null", "forward": "davylamp-forward-opensearch"}
            return in_turns(brokers, ways, options, forwarding={"targets": [target]})
        finally:
            part.stop()


async def bootstrapped(settings: OpenSearchTarget) -> None:
    """Give the cluster its templates."""
    siem = target_of(settings, "default", lambda: 0.5)
    assert isinstance(siem, BulkSiem)
    await siem.open()
    await apply(siem.cluster, await standings(siem.cluster, siem.dialect))
    await siem.close()


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["detect", "forward", "workers"])
    parser.add_argument("--bootstrap")
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--rules", type=Path)
    parser.add_argument("--core", type=int)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    with broker(options.bootstrap) as brokers:
        work = {"detect": detect, "forward": forward, "workers": workers}[options.what]
        print(json.dumps(work(brokers, options), indent=1))


if __name__ == "__main__":
    main()
