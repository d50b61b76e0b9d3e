"""What is measured inside this process: bare decoding, and Davylamp's engine over the same file, in turns.

Each row reads the lines of a file, decodes and inspects every event; its CPU time is compared with that of
bare `orjson.loads` of the same lines in the same round. Lines are read in both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
from peer_program import KINDS, Pairs

from connectors.sources.catalogue import profile
from connectors.sources.source import Source
from daemon.scan_tally import Tally
from daemon.scanning import FileReader, Gathered
from detectors.event import Event, Locator
from detectors.sigma.engine import Engine

NAMES = {
    "cloudtrail": ("eventName", "eventSource", "userAgent"),
    "k8s": ("verb", "requestURI", "userAgent"),
}
"""Texts of an event that a caller has a say in and that rules tell events apart by: a flood changes all."""


def events_of(path: Path, source: Source) -> Iterator[tuple[int, Event]]:
    """Yield line number (from 0) and event of every line: full decode and the source's own reading."""
    loads, parse = orjson.loads, source.parse
    with path.open("rb") as file:
        for number, line in enumerate(file):
            yield number, parse(loads(line), Locator("file", 0, number + 1, 0))


def decode(path: Path) -> None:
    """Read and decode every line: the yardstick."""
    loads = orjson.loads
    with path.open("rb") as file:
        for line in file:
            loads(line)


def shared(path: Path, source: Source, engine: Engine) -> None:
    """Decode every line in full, make the event, inspect it."""
    loads, parse, inspect = orjson.loads, source.parse, engine.inspect
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            inspect(parse(loads(line), Locator("file", 0, number, 0)))


def partial(path: Path, reader: FileReader) -> None:
    """Read a file as `davylamp scan` does: lines that no rule can match are not decoded in full."""
    for _ in reader.read(path, Gathered(Tally())):
        pass


def partial_pairs(path: Path, reader: FileReader) -> Pairs:
    """Return line number and rule of every finding that `partial` makes."""
    found = reader.read(path, Gathered(Tally()))
    return {(place.offset - 1, one.finding.rule_id) for one in found for place in one.locators}


def pairs(path: Path, source: Source, engine: Engine) -> Pairs:
    """Return line number and rule of every finding."""
    return {
        (number, finding.rule_id)
        for number, event in events_of(path, source)
        for finding in engine.inspect(event).findings
    }


def flood(path: Path, target: Path, source: str) -> None:
    """Write the events of `path` with names that nobody has seen before, in every field of `NAMES`."""
    with path.open("rb") as file, target.open("wb") as out:
        for number, line in enumerate(file):
            record = orjson.loads(line)
            record.update(
                {name: f"{number:x}-{name}-{number * 2654435761 % 2**32:x}" for name in NAMES[source]}
            )
            out.write(orjson.dumps(record) + b"\n")


def head(path: Path, target: Path, count: int) -> int:
    """Write the first `count` lines of `path`; return how many there were."""
    written = 0
    with path.open("rb") as file, target.open("wb") as out:
        for line in file:
            if written >= count:
                break
            out.write(line if line.endswith(b"\n") else line + b"\n")
            written += 1
    return written


def ids(path: Path, field: str) -> dict[str, int]:
    """Return line number by event id, for engines that name the event and no line."""
    with path.open("rb") as file:
        return {str(orjson.loads(line).get(field)): number for number, line in enumerate(file)}


def cpu(work: Callable[[], object]) -> float:
    """Return the CPU seconds of one call."""
    began = time.process_time()
    work()
    return time.process_time() - began


def source_of(name: str) -> Source:
    """Return the source of an input's short name."""
    return profile(KINDS[name])
