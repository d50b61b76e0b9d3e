"""Reading and judging events against bare orjson decode of the same lines, as a ratio of CPU time.

Run `python bench/scan.py [FILE] [--source KIND] [--rules DIR].. [--events N] [--rounds R] [--json]`. Without
a file it writes events of its own: CloudTrail of about 1.2 KB, else the demo's traffic. The shipped rules are
measured, then those of each DIR alone. 1.0 is as fast as decoding alone; lines are read within both.

* shared: every event decoded, parsed and given to `Engine.inspect`, as roles do that need the event anyway;
* scan, whole: `davylamp scan` with every event decoded; scan: events that no rule can match skimmed;
* cold: the first 20,000 events with an engine that has seen none;
* flood: each event with values of its own in the fields by which the engine sorts.

The time to compile the rules is not in it. Everything is measured in turns in one process; the figures are a
measurement, never a test.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from scan_events import write, write_week

from config.detection import Detection
from connectors.sources.catalogue import KINDS, profile
from connectors.sources.files import read_events
from daemon.garbage import settle
from daemon.ruleset import ruleset
from daemon.scan_tally import Tally
from daemon.scanning import FileReader, Gathered, Reading
from detectors.event import Event
from detectors.sigma.dispatch import SORTS
from detectors.sigma.engine import Engine
from detectors.sigma.ruleset import RuleSet

LEARNING_S = 7 * 86400.0
COLD = 20_000
Way = Callable[[Path], Callable[[], Any]]


def lines_of(path: Path) -> Any:
    """Open a file of lines, gzipped or not."""
    opened: Callable[..., Any] = gzip.open if path.suffix == ".gz" else open
    return opened(path, "rb")


def decode(path: Path) -> int:
    """Decode every line and nothing else; return how many. Lines that are not JSON count as well."""
    count = 0
    with lines_of(path) as file:
        for line in file:
            count += 1
            try:
                orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
    return count


class Ways:
    """The ways to judge a file. Each gives a function to be timed, what it needs is made before."""

    def __init__(self, kind: str, rules: RuleSet) -> None:
        self.kind = kind
        self.rules = rules
        self.findings = 0

    def decode(self, path: Path) -> Callable[[], Any]:
        """Return bare decoding."""
        return lambda: decode(path)

    def shared(self, path: Path) -> Callable[[], Any]:
        """Return decoding, parsing and `Engine.inspect` of every event."""
        source, engine = profile(self.kind), Engine(self.rules)
        engine.dispatch(source)

        def run() -> None:
            inspect = engine.inspect
            for item in read_events(path, source):
                if isinstance(item, Event):
                    inspect(item)

        return run

    def whole(self, path: Path) -> Callable[[], Any]:
        """Return a scan that decodes every event."""
        return self._scan(path, whole=True)

    def scan(self, path: Path) -> Callable[[], Any]:
        """Return a scan."""
        return self._scan(path, whole=False)

    def _scan(self, path: Path, *, whole: bool) -> Callable[[], Any]:
        reader = FileReader(Reading(self.kind, self.rules, whole=whole))

        def run() -> None:
            gathered = Gathered(Tally())
            findings = sum(1 for _ in reader.read(path, gathered))
            findings += sum(1 for _ in gathered.correlations(self.rules))
            self.findings = findings + sum(1 for _ in gathered.baselines(LEARNING_S))

        return run


def head(path: Path, to: Path) -> Path:
    """Write the first events of a file."""
    with lines_of(path) as file, to.open("wb") as out:
        out.writelines(line for line, _ in zip(file, range(COLD), strict=False))
    return to


def flooded(path: Path, to: Path, ways: Ways) -> Path:
    """Write the first events of a file with texts of their own in the fields by which they are sorted."""
    paths = Engine(ways.rules).dispatch(profile(ways.kind)).paths
    with head(path, to).open("rb") as file:
        records = [orjson.loads(line) for line in file]
    for number, record in enumerate(records):
        for keys in (field.split(".") for field in paths):
            owner = record if len(keys) == 1 else record.get(keys[0])
            if isinstance(owner, dict) and isinstance(owner.get(keys[-1]), str):
                owner[keys[-1]] += f"-{number}"
    to.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records))
    return to


def measure(path: Path, kind: str, rules: RuleSet, rounds: int, folder: Path) -> dict[str, Any]:
    """Measure all ways in turns; return each one's ratio and time, and what the scan found."""
    ways = Ways(kind, rules)
    cold, flood = head(path, folder / "cold.jsonl"), flooded(path, folder / "flood.jsonl", ways)
    rows: list[tuple[str, Way, Path]] = [
        ("shared", ways.shared, path),
        ("scan, whole", ways.whole, path),
        ("scan", ways.scan, path),
        *((f"{name}, cold", way, cold) for name, way in (("shared", ways.shared), ("scan", ways.scan))),
        *((f"{name}, flood", way, flood) for name, way in (("shared", ways.shared), ("scan", ways.scan))),
    ]
    counts = {file: decode(file) for file in {path, cold, flood}}
    took: dict[str, list[tuple[float, float]]] = {name: [] for name, _, _ in rows}
    settle()
    for _ in range(rounds):
        plain = {file: timed(ways.decode(file)) for file in counts}
        for name, way, file in rows:
            took[name].append((plain[file] / counts[file], timed(way(file)) / counts[file]))
    timed(ways.scan(path))
    return {
        "source": kind,
        "events": counts[path],
        "bytes": path.stat().st_size,
        "findings": ways.findings,
        "rules": len(rules.rules),
        "correlations": len(rules.correlations),
        "rounds": rounds,
        "remembered_at_most": SORTS,
        "decode_us": statistics.median(plain for plain, _ in took["shared"]) * 1e6,
        "ways": {name: figures(pairs) for name, pairs in took.items()},
    }


def timed(run: Callable[[], Any]) -> float:
    """Return the seconds of CPU time that a function takes."""
    began = time.process_time()
    run()
    return time.process_time() - began


def figures(pairs: list[tuple[float, float]]) -> dict[str, float]:
    """Return the ratio's median and spread, and the time of an event in microseconds."""
    ratios = [plain / whole for plain, whole in pairs]
    microseconds = statistics.median(whole for _, whole in pairs) * 1e6
    return {"ratio": statistics.median(ratios), "min": min(ratios), "max": max(ratios), "us": microseconds}


def show(found: dict[str, Any]) -> None:
    """Print the table."""
    counted = ", ".join(f"{found[name]} {name}" for name in ("events", "rules", "correlations", "findings"))
    print(f"{found['source']}: {counted}")
    print(f"  {'bare orjson decode':<16} {found['decode_us']:6.2f} us of CPU an event")
    for name, row in found["ways"].items():
        spread = f"({row['min']:.2f} to {row['max']:.2f})"
        print(f"  {name:<16}  {row['us']:6.2f} us   ratio {row['ratio']:5.2f}  {spread}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--source", choices=KINDS, default="cloudtrail")
    parser.add_argument("--rules", type=Path, action="append", default=[], help="measured alone, repeatable")
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = given.file or folder / "events.jsonl"
        if given.file is None:
            if given.source == "cloudtrail":
                write(path, given.events)
            else:
                write_week(path, given.source, given.events)
        wanted = [Detection(), *(Detection(builtin_rules=False, rules=(one,)) for one in given.rules)]
        for detection in wanted:
            found = measure(path, given.source, ruleset(detection), given.rounds, folder)
            print(json.dumps(found)) if given.json else show(found)


if __name__ == "__main__":
    main()
