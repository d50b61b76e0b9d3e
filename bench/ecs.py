"""CPU of an ECS document, from the typed event to the bytes that are sent, against bare orjson of its record.

Run `python bench/ecs.py [FILE --source KIND] [--events N] [--rounds R] [--profile] [--json]`. Without a file:
CloudTrail records of about 1.4 KB and the demo's ordinary week of the other sources. Bare is
`orjson.dumps(orjson.loads(record))`. Every record is decoded right before it is mapped, as forward does, and
what decoding costs is taken off; all take turns inside one process. Target: 8 us for CloudTrail.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
from scan_events import event, write_week

from connectors.ecs.event import event_document
from connectors.ecs.redaction import redact
from connectors.ecs.shown import shown
from connectors.sources.catalogue import KINDS, profile
from connectors.sources.files import read_events
from daemon.garbage import settle
from detectors.event import Event, Locator

TARGET_US = 8.0
INGESTED = 1_800_000_000.0
AGENT = "aws-sdk-go-v2/1.30.3 os/linux lang/go#1.22.5 md/GOOS#linux md/GOARCH#amd64 api/s3#1.58.2 m/F " * 2


def records(kind: str, count: int, file: Path | None) -> list[bytes]:
    """Return the JSON texts of `count` records."""
    if file is not None:
        found = (one for one in read_events(file, profile(kind)) if isinstance(one, Event))
        return [orjson.dumps(one.fields) for one in islice(found, count)]
    if kind == "cloudtrail":
        return [orjson.dumps({**event(number), "userAgent": AGENT}) for number in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / kind
        write_week(path, kind, count)
        return path.read_bytes().splitlines()[:count]


def cpu(work: Callable[[Any], object], values: Iterable[Any]) -> float:
    """Return the CPU microseconds of `work` a value."""
    values = list(values)
    began = time.process_time()
    for value in values:
        work(value)
    return (time.process_time() - began) / len(values) * 1e6


def pipelines(kind: str) -> dict[str, Callable[[bytes], object]]:
    """Return name -> work on one record; each does what the one before it does, and a step more."""
    source = profile(kind)
    place = Locator("t", 0, 0, 0)

    def parsed(text: bytes) -> Event:
        return source.parse(orjson.loads(text), place)

    def shown_only(text: bytes) -> object:
        return shown(parsed(text).fields)

    def named(text: bytes) -> object:
        one = parsed(text)
        return one.event_id, one.profile.outcome(one)

    return {
        "bare": lambda text: orjson.dumps(orjson.loads(text)),
        "parse": parsed,
        "show": shown_only,
        "name": named,
        "map": lambda text: source.ecs(parsed(text)),
        "document": lambda text: event_document(parsed(text), "default", INGESTED),
        "walk": lambda text: redact(parsed(text).fields),
    }


def measure(kind: str, texts: list[bytes], rounds: int) -> dict[str, Any]:
    """Return medians over the rounds, in microseconds a document; what a step costs is a difference."""
    works = pipelines(kind)
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            taken[name].append(cpu(work, texts))

    def step(name: str, before: str = "parse") -> list[float]:
        return [whole - part for whole, part in zip(taken[name], taken[before], strict=True)]

    documents = step("document")
    steps = {
        "bare orjson.loads and dumps": taken["bare"],
        "document, from the typed event to bytes": documents,
        "  of which: looking for secrets, event.original": step("show"),
        "  of which: event.id and event.outcome": step("name"),
        "  of which: the body encoded": step("document", "map"),
        "for comparison: the whole walk for secrets": step("walk"),
    }
    place = Locator("t", 0, 0, 0)
    source = profile(kind)
    sizes = [event_document(source.parse(orjson.loads(t), place), "default", INGESTED).size for t in texts]
    return {
        "source": kind,
        "documents": len(sizes),
        "record_bytes": round(statistics.mean(map(len, texts))),
        "document_bytes": round(statistics.mean(sizes)),
        "us": {name: statistics.median(values) for name, values in steps.items()},
        "us_least": min(documents),
        "ratio": statistics.median(d / b for d, b in zip(documents, taken["bare"], strict=True)),
    }


def show(row: dict[str, Any]) -> None:
    """Print the figures of one source."""
    print(
        f"{row['source']}: {row['documents']} documents, record {row['record_bytes']} B, "
        f"document {row['document_bytes']} B, {row['ratio']:.1f} x bare"
    )
    for name, value in row["us"].items():
        print(f"  {name:<50} {value:7.2f} us")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--source", choices=KINDS)
    parser.add_argument("--events", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--profile", action="store_true", help="functions by their own time, once over the events"
    )
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.file and not given.source:
        parser.error("a file needs --source")
    kinds = [given.source] if given.source else list(KINDS)
    settle()
    for kind in kinds:
        texts = records(kind, given.events, given.file)
        row = measure(kind, texts, given.rounds)
        print(json.dumps(row)) if given.json else show(row)
        if given.profile:
            profiled(kind, texts)
    if not given.json:
        print(f"target: {TARGET_US:g} us for cloudtrail")


def profiled(kind: str, texts: list[bytes]) -> None:
    """Print the functions with the most own time; the profiler's cost falls on small functions."""

    events = [profile(kind).parse(orjson.loads(t), Locator("t", 0, n, 0)) for n, t in enumerate(texts)]
    with cProfile.Profile() as taken:
        for one in events:
            event_document(one, "default", INGESTED)
    pstats.Stats(taken).sort_stats("tottime").print_stats(22)


if __name__ == "__main__":
    main()
