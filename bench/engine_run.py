"""One input measured: Davylamp in this process and the programs, all in turns, then what they found."""

from __future__ import annotations

import resource
import statistics
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine_inside import DECODE, WAYS, Inside
from engine_rows import head, ids, pairs, partial_pairs, source_of
from peer_program import EVENT_IDS, Job, Pairs, PeerFailedError, Program, davylamp, peers, run

from detectors.sigma.rule import routes
from detectors.sigma.ruleset import RuleSet

ITS_OWN = "davylamp scan"
LIKE_US = ("rsigma library", "rsigma program")
"""The peer that the targets name."""


@dataclass(frozen=True)
class Given:
    """An input (`source`: its short name), the rule folders and what was loaded from them, by name."""

    source: str
    events: Path
    scratch: Path
    folders: Mapping[str, Path]
    loaded: Mapping[str, RuleSet]
    count: int


class Bench:
    """Measures one input. `measure` returns what `engine_report` prints."""

    def __init__(self, given: Given) -> None:
        self._given = given
        self._source = source_of(given.source)
        self._rules = next(iter(given.folders))
        self._files = {name: given.scratch / f"{given.source}.{name}" for name in ("all", "one")}
        self._count = head(given.events, self._files["all"], given.count)
        head(given.events, self._files["one"], 1)
        self._inside = Inside(given.source, self._files["all"], given.scratch, given.loaded, self._rules)

    def installed(self, built: Path | None, runners: Path | None, only: set[str]) -> list[Program]:
        """Return Davylamp's program and the peers that are there; say the others by name."""
        known = [davylamp()]
        if built is not None:
            known += peers(built, runners or built / "runners")
        known = [one for one in known if not only or one.name in only]
        for one in known:
            if not one.file.exists():
                print(f"not installed, left out: {one.name} ({one.file.name})", file=sys.stderr)
        return [one for one in known if one.file.exists()]

    def measure(self, programs: Sequence[Program], rounds: int) -> dict[str, Any]:
        """Measure in turns; return rows by name, programs by name, and what differs in what they found."""
        inside = self._inside
        inside.warm(self._files["all"])
        seconds = inside.seconds
        ended: dict[str, str] = {}
        before = _resident()
        for number in range(rounds):
            inside.round()
            for program in programs:
                if program.name not in ended and (number == 0 or program.limit >= self._count):
                    try:
                        seconds[program.name].append(self._outside(program))
                    except PeerFailedError as error:
                        ended[program.name] = str(error)
        expected = pairs(self._files["all"], self._source, inside.engines[self._rules])
        in_part = partial_pairs(self._files["all"], inside.readers[self._rules])
        found = {one.name: self._compared(one, expected) for one in programs if one.name not in ended}
        return {
            "events": self._count,
            "bytes": round(self._files["all"].stat().st_size / self._count),
            "alerts": len(expected),
            "rows": _rows(inside),
            "times": _times(seconds, self._rules),
            "failed": ended,
            "found": found,
            "own_ways_differ": in_part != expected
            or any(found.get(ITS_OWN, {}).get(key) for key in ("missing", "more")),
            "resident_mb": {"before": before, "after": _resident()},
        }

    def _outside(self, program: Program) -> float:
        """Return the CPU seconds an event of a program, those of a run on one event taken off."""
        count = min(program.limit, self._count)
        start = min(run(program, self._job(program, 1)).cpu_s for _ in range(2))
        return (run(program, self._job(program, count)).cpu_s - start) / (count - 1)

    def _job(self, program: Program, count: int, names: Mapping[str, int] | None = None) -> Job:
        given = self._given
        path = self._files["one"] if count == 1 else self._files["all"]
        if 1 < count < self._count:
            path = given.scratch / f"{given.source}-{count}"
            if not path.exists():
                head(given.events, path, count)
        output = given.scratch / "found.txt"
        return Job(given.folders[self._rules], path, output, given.source, names or {})

    def _compared(self, program: Program, expected: Pairs) -> dict[str, Any]:
        """Return how a program's (event, rule) pairs differ, of rules whose log source means this input."""
        count = min(program.limit, self._count)
        job = self._job(program, count, ids(self._files["all"], EVENT_IDS[self._given.source]))
        run(program, job, for_pairs=True)
        titles = self._tried()
        found = program.pairs(job)
        own = {pair for pair in found if pair[1] in titles}
        wanted = {pair for pair in expected if pair[0] < count}
        return {
            "events": count,
            "alerts": len(own),
            "expected": len(wanted),
            "of_other_sources": len(found) - len(own),
            "missing": Counter(titles[rule] for _, rule in wanted - own).most_common(),
            "more": Counter(titles[rule] for _, rule in own - wanted).most_common(),
        }

    def _tried(self) -> dict[str, str]:
        """Return id and title of the rules whose log source means this input."""
        rules = self._given.loaded[self._rules].rules
        return {rule.id: rule.identity.title for rule in rules if routes(rule.logsource, self._source)}


def _rows(inside: Inside) -> dict[str, Any]:
    bare = f"{DECODE}, all"
    rows: dict[str, Any] = {DECODE: _spread([one * 1e6 for one in inside.seconds[bare]])}
    for name, taken in inside.seconds.items():
        if not name.startswith(f"{DECODE}, "):
            beside = inside.seconds[inside.beside.get(name, bare)]
            ratios = [plain / whole for plain, whole in zip(beside, taken, strict=False)]
            rows[name] = {"us": _spread([one * 1e6 for one in taken]), "ratio": _spread(ratios)}
    return rows


def _times(seconds: Mapping[str, Sequence[float]], rules: str) -> dict[str, dict[str, float]]:
    """Return how many times as long one row takes as another, within each round: "one / other"."""
    ours = [(f"{way}, {name}", way) for way in WAYS for name in ("all",) if name != rules]
    theirs = [(peer, way) for peer in LIKE_US for way in (*WAYS, ITS_OWN)]
    found = {
        f"{one} / {other}": [a / b for a, b in zip(seconds[one], seconds[other], strict=False)]
        for one, other in (*ours, *theirs)
        if one in seconds and other in seconds
    }
    return {name: _spread(values) for name, values in found.items()}


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
        "rounds": len(values),
    }


def _resident() -> int:
    """Return the resident megabytes of this process (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 2**20
