"""Matched events per second of CPU time into correlations, and the memory of live groups.

Run `python bench/correlations.py [--events N] [--rounds R] [--groups N] [--json]`. Three ways, with the
code that runs: `gathered` (scan: all matches are gathered, then judged), `in memory` (windows between batches
of 500, the watermark 30 s behind) and `JSON state` (the correlate role: records as bytes in, states as bytes
out). Beside each figure stands its ratio to a bare loop in the same round: a deque of times a group, nothing
else. One in ten matches goes to a hundredth of the groups, which the condition finds. What is no target is
measured in one round on a quarter of the events. Memory is the resident set of a process of its own. The
figures are a measurement, never a test.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import statistics
import subprocess
import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson
import structlog
from prometheus_client import CollectorRegistry

from daemon.garbage import settle
from daemon.roles.correlate.evaluation import Evaluation, Record
from daemon.roles.correlate.matches import Correlation, MatchEvaluator
from daemon.roles.correlate.metrics import Metrics
from daemon.roles.correlate.watermark import Watermarks
from detectors.event import Entity
from detectors.sigma.correlation import Correlator
from detectors.sigma.groups import Groups
from detectors.sigma.match import Match
from detectors.sigma.rule import CorrelationKind, CorrelationRule, Identity
from detectors.sigma.window import Window

SPAN_S = 60.0
LATENESS_S = 30.0
BATCH = 500
START = 1_780_000_000.0
RULE = "6d0c3b0e-2c5f-4a4e-9c55-5b6a2f3f7a01"
CORRELATION = "6d0c3b0e-2c5f-4a4e-9c55-5b6a2f3f7a02"
TARGETS = {"event_count": (300_000, 1_000_000), "value_count": (150_000, 400_000)}
MEGABYTE = 1_000_000


class Load(NamedTuple):
    """Matches of one correlation, in the order of their times."""

    name: str
    rule: CorrelationRule
    matches: list[Match]


def correlation(kind: CorrelationKind, count: int) -> CorrelationRule:
    """Return a correlation by user, over one minute."""
    identity = Identity(
        CORRELATION, None, "Many", "", "high", ("T1110",), (), (), (), 1, None, "bench.yml", 1
    )
    value = ("name",) if kind.startswith("value") else ()
    return CorrelationRule(
        identity, kind, (RULE,), ("user",), {RULE: ("user",)}, SPAN_S, "gte", count, False, value
    )


def match(number: int, group: int, value: str | float | None, seconds: float) -> Match:
    """Return one match as the engine makes it: an event id, two entities, a sentence."""
    arn = f"arn:aws:iam::123456789012:user/u{group}"
    entities = (
        Entity("iam_principal", arn, "actor"),
        Entity("address", f"198.51.100.{group % 250}", "source"),
    )
    return Match(
        correlation=CORRELATION,
        rule=RULE,
        group=(f"u{group}",),
        event_id=f"{number:08x}-7c1f-4b0e-9a55-{number:012x}",
        time=START + seconds,
        source="cloudtrail",
        level="low",
        entities=entities,
        summary=f"{arn} called GetSecretValue in eu-west-1, denied",
        value=value,
    )


def spread(kind: CorrelationKind, events: int, groups: int) -> Load:
    """Return matches over `groups` groups, 1,000 a second, one in ten of a hundredth of the groups."""
    chance = random.Random(7)
    found: list[Match] = []
    for number in range(events):
        few = chance.random() < 0.1
        group = chance.randrange(max(1, groups // 100) if few else groups)
        value = _value(kind, chance)
        found.append(match(number, group, value, number / 1000))
    count = int(5 * SPAN_S * 1000 / groups) if kind in TARGETS else 10**6
    return Load(f"{kind}, {groups:,} groups", correlation(kind, count), found)


def worst(kind: CorrelationKind, events: int) -> list[Load]:
    """Return one hot group, nothing but new groups, a window at its cap, and values as long as may be."""
    chance = random.Random(7)
    hot = [match(n, 0, _value(kind, chance), n / 1000) for n in range(events)]
    full = [match(n, n % 50, _value(kind, chance), n / 10_000) for n in range(events)]
    new = [match(n, n, _value(kind, chance), n / 1000) for n in range(events)]
    rule = correlation(kind, 1_900)
    loads = [
        Load(f"{kind}, one hot group", correlation(kind, 100), hot),
        Load(f"{kind}, every group new", correlation(kind, 5), new),
        Load(f"{kind}, windows at the cap", rule, full),
    ]
    if kind == "value_count":
        long = [item._replace(value=f'["{n % 997:0>1190}"]') for n, item in enumerate(full)]
        loads.append(Load(f"{kind}, values of 1,190 letters", rule, long))
    return loads


def _value(kind: CorrelationKind, chance: random.Random) -> str | float | None:
    if kind == "event_count":
        return None
    number = chance.randrange(10**6)
    return f'["name-{number}"]' if kind == "value_count" else float(number % 1000)


def bare(load: Load) -> int:
    """Count by group inside the span, and nothing else."""
    times: dict[str | None, deque[float]] = defaultdict(deque)
    found = 0
    for item in load.matches:
        window = times[item.group[0]]
        window.append(item.time)
        while window[0] + SPAN_S < item.time:
            window.popleft()
        found += len(window) >= load.rule.count
    return found


def gathered(load: Load) -> int:
    """As `davylamp scan`: gather, then judge."""
    groups = Groups()
    for start in range(0, len(load.matches), BATCH):
        groups.take(load.matches[start : start + BATCH])
    return sum(1 for _ in groups.finals([load.rule]))


def in_memory(load: Load) -> int:
    """Windows that live between batches."""
    correlator = Correlator(load.rule)
    windows: dict[str | None, Window] = defaultdict(Window)
    found = 0
    for start in range(0, len(load.matches), BATCH):
        batch = load.matches[start : start + BATCH]
        by_group: dict[str | None, list[Match]] = defaultdict(list)
        for item in batch:
            by_group[item.group[0]].append(item)
        watermark = batch[-1].time - LATENESS_S
        for group, matches in by_group.items():
            found += len(correlator.step(windows[group], matches, watermark).finals)
    return found + sum(len(correlator.step(window, (), float("inf")).finals) for window in windows.values())


class Table:
    """The states of the role, in memory as in Faust."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    def read(self, key: str, partition: int) -> bytes | None:
        """Return a state."""
        return self.values.get(key)

    def keys_of(self, partition: int) -> list[str]:
        """Return the keys."""
        return sorted(self.values)

    def apply(self, evaluation: Evaluation) -> int:
        """Write what a batch left; return how many findings are final."""
        for write in evaluation.writes:
            if write.value is None:
                self.values.pop(write.key, None)
            else:
                self.values[write.key] = write.value
        return sum(finding.status == "final" for finding in evaluation.findings)


def records(load: Load) -> list[Record]:
    """Return the records of the internal topic, a heartbeat after each batch."""
    found: list[Record] = []
    for number, item in enumerate(load.matches):
        found.append(_record(number, item.key(), item.to_json(), item.time))
        if number % BATCH == BATCH - 1:
            found.append(_record(number, "", _heartbeat(item.time), item.time))
    return found


def _record(number: int, key: str, document: object, seconds: float) -> Record:
    return Record(0, number, key.encode(), orjson.dumps(document), seconds)


def _heartbeat(seconds: float) -> dict[str, object]:
    report = {
        "kind": "cloudtrail",
        "through_offset": 1,
        "max_event_time": seconds,
        "append_time": seconds,
        "idle": False,
    }
    return {
        "kind": "heartbeat",
        "worker": "bench",
        "partition_counts": {"aws.cloudtrail": 1},
        "partitions": {"aws.cloudtrail/0": report},
    }


def json_state(load: Load) -> Callable[[Load], int]:
    """Return the role's evaluation of this load; its records are made before the clock runs."""
    prepared = records(load)

    def run(_load: Load) -> int:
        known = {load.rule.id: Correlation(load.rule, frozenset(("cloudtrail",)), Correlator(load.rule))}
        evaluator = MatchEvaluator(
            known,
            lambda: Watermarks({"aws.cloudtrail": "cloudtrail"}, lambda _kind: LATENESS_S),
            Metrics(CollectorRegistry()),
        )
        table = Table()
        return sum(
            table.apply(evaluator.evaluate(prepared[start : start + BATCH + 1], table))
            for start in range(0, len(prepared), BATCH + 1)
        )

    return run


def measure(load: Load, rounds: int) -> dict[str, object]:
    """Return events a second of CPU time for each way, in turns; median, least and greatest of `rounds`."""
    ways = {"bare": bare, "gathered": gathered, "in memory": in_memory, "JSON state": json_state(load)}
    rates: dict[str, list[float]] = {name: [] for name in ways}
    finals: dict[str, int] = {}
    settle()
    for _ in range(rounds):
        for name, way in ways.items():
            begin = time.process_time()
            finals[name] = way(load)
            rates[name].append(len(load.matches) / (time.process_time() - begin))
    row: dict[str, object] = {"load": load.name, "events": len(load.matches), "finals": finals["gathered"]}
    for name, seen in rates.items():
        ratios = [rate / base for rate, base in zip(seen, rates["bare"], strict=True)]
        row[name] = {
            "per_s": round(statistics.median(seen)),
            "spread": [round(min(seen)), round(max(seen))],
            "ratio": round(statistics.median(ratios), 3),
        }
    return row


def live_groups(count: int) -> dict[str, object]:
    """Hold `count` groups of one match each, and return what the process holds."""
    settle()
    before = _resident()
    groups = Groups(count)
    for start in range(0, count, BATCH):
        groups.take([match(n, n, None, n / 1000) for n in range(start, min(start + BATCH, count))])
    held = _resident()
    kept = len(groups)
    groups.take([match(count + n, count + n, None, count / 1000 + n) for n in range(1_000)])
    return {
        "groups": kept,
        "resident_mb": round(held / MEGABYTE),
        "of_which_before": round(before / MEGABYTE),
        "dropped_by_1000_more": dict(groups.dropped),
        "left": len(groups),
    }


def _resident() -> int:
    fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * 4096


def in_a_process(count: int) -> dict[str, object]:
    """Return `live_groups` of a process of its own."""
    command = [sys.executable, __file__, "--only-groups", str(count)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def shown(row: dict[str, object]) -> str:
    """Return a row for people, with its targets."""
    kind = str(row["load"]).split(",")[0]
    must, aim = TARGETS.get(kind, (None, None))
    parts = [f"{row['load']:<40}"]
    for name in ("bare", "gathered", "in memory", "JSON state"):
        known = row[name]
        assert isinstance(known, dict)
        parts.append(
            f"{name} {known['per_s']:>9,}/s" + ("" if name == "bare" else f" ({known['ratio']:.2f})")
        )
    target = f"   must {must:,}, aim {aim:,}" if must and "groups" in str(row["load"]) else ""
    return "   ".join(parts) + target


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--groups", type=int, default=1_000_000)
    parser.add_argument("--only-groups", type=int)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    if given.only_groups is not None:
        print(json.dumps(live_groups(given.only_groups)))
        return
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    rows: list[dict[str, object]] = []
    some = given.events // 4
    loads: list[tuple[int, Callable[[], list[Load]]]] = [
        (given.rounds, lambda: [spread("event_count", given.events, n) for n in (10_000, 1_000)]),
        (given.rounds, lambda: [spread("value_count", given.events, n) for n in (10_000, 1_000)]),
        (1, lambda: [spread(kind, some, 10_000) for kind in ("value_sum", "value_median")]),
        (1, lambda: worst("event_count", some)),
        (1, lambda: worst("value_count", some)),
    ]
    for rounds, made in loads:
        for load in made():
            rows.append(measure(load, rounds))
            if not given.json:
                print(shown(rows[-1]), flush=True)
    memory = in_a_process(given.groups)
    if given.json:
        print(json.dumps({"correlations": rows, "live_groups": memory}))
        return
    print(
        f"{memory['groups']:,} live groups: {memory['resident_mb']} MB resident (must 500, aim 250), of them "
        f"{memory['of_which_before']} MB are there without any; 1,000 more groups: "
        f"{memory['dropped_by_1000_more']} dropped, {memory['left']:,} left"
    )


if __name__ == "__main__":
    main()
