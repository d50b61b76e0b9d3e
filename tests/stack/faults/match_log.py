"""A log of `davylamp.matches` as detect writes it: matches out of order within lateness, and heartbeats.

Two source partitions, each with its own clockwork; a heartbeat a second of the log's own time to every
partition of the topic. What it must come to is computed by the pure evaluator from the matches in order.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final
from zlib import crc32

import orjson
from kafka.cluster import KeyedRecord
from kafka.documents import RULES
from prometheus_client import CollectorRegistry

from connectors.kafka.topics import MATCHES
from daemon.roles.correlate.evaluation import Evaluation, Evaluator, Record
from daemon.roles.correlate.matches import MatchEvaluator
from daemon.roles.correlate.metrics import Metrics
from daemon.roles.correlate.rules import correlations
from daemon.roles.correlate.watermark import Watermarks
from detectors.event import Entity
from detectors.sigma.document import RuleDocument
from detectors.sigma.match import Match
from detectors.sigma.ruleset import RuleSet

BASES: Final = ("6f1d4a2e-0c5b-4b0f-9a55-1f0d6f2b7a01", "6f1d4a2e-0c5b-4b0f-9a55-1f0d6f2b7a03")
BURST: Final = "6f1d4a2e-0c5b-4b0f-9a55-1f0d6f2b7a02"
ORDERED: Final = "6f1d4a2e-0c5b-4b0f-9a55-1f0d6f2b7a04"
RULE_FILE: Final = "burst.yml"
LATENESS_S: Final = 10.0
START: Final = 1_780_000_000.0
PARTITIONS: Final = 4
KINDS: Final = {"k8s.audit": "kubernetes_audit"}
_SOURCES: Final = 2
_STEP_S: Final = 1.0


class MatchLog:
    """`users` with `each` matches of two rules over `span_s` seconds; the same for the same seed."""

    def __init__(self, seed: int, users: int = 12, each: int = 14, span_s: float = 500.0) -> None:
        draw = random.Random(seed)
        self.matches: list[Match] = []
        for user, number in itertools.product(range(users), range(each)):
            at = START + round(draw.random() * span_s, 3)
            rule = draw.randrange(2)
            for correlation in (BURST, ORDERED) if rule == 0 else (ORDERED,):
                self.matches.append(_match(correlation, BASES[rule], f"u{user}", number, at))
        self.matches.sort(key=lambda match: (match.time, match.event_id, match.correlation))
        self._end = START + span_s
        self.beyond = self._end + 1e5
        """A time (seconds) after which nothing happens."""

    def records(self, seed: int, repeats: float = 0.1) -> list[KeyedRecord]:
        """Return the log as it arrives: shuffled within lateness by `seed`, some matches twice."""
        draw = random.Random(seed)
        arrivals: list[tuple[float, KeyedRecord]] = []
        for match in self.matches:
            for _ in range(2 if draw.random() < repeats else 1):
                late = draw.random() * (LATENESS_S - _STEP_S)
                arrivals.append((match.time + late, _record(match)))
        ticks = int((self._end - START + 2 * LATENESS_S) / _STEP_S)
        for tick in range(1, ticks):
            now = START + tick * _STEP_S
            arrivals += [(now, beat) for beat in heartbeats(now, idle=False)]
        arrivals += [(self._end + 1e6, beat) for beat in heartbeats(self.beyond, idle=True)]
        return [record for _, record in sorted(arrivals, key=lambda arrival: arrival[0])]

    def finals(self) -> set[bytes]:
        """Return the finals that must come, computed from the matches in order, in one batch."""
        log = [_record(match) for match in self.matches] + heartbeats(self.beyond, idle=True)
        world = Memory(evaluator())
        world.feed(numbered(log))
        return finals(world.findings)


class Memory:
    """States and findings in memory: what a worker leaves behind that never crashes."""

    def __init__(self, judge: Evaluator) -> None:
        self._judge = judge
        self.values: dict[tuple[int, str], bytes] = {}
        self.findings: list[dict[str, Any]] = []

    def read(self, key: str, partition: int) -> bytes | None:
        """Return a state."""
        return self.values.get((partition, key))

    def keys_of(self, partition: int) -> list[str]:
        """Return the keys of a partition, sorted."""
        return sorted(key for owner, key in self.values if owner == partition)

    def feed(self, records: Sequence[Record]) -> Evaluation:
        """Evaluate one batch and keep what it gives."""
        done = self._judge.evaluate(records, self)
        self.findings += [finding.to_json() for finding in done.findings]
        for write in done.writes:
            self.keep(write.key, write.value, write.partition)
        return done

    def keep(self, key: str, value: bytes | None, partition: int) -> None:
        """Set or delete a state."""
        if value is None:
            self.values.pop((partition, key), None)
        else:
            self.values[partition, key] = value


def evaluator(lateness_s: float = LATENESS_S, book: Callable[..., Watermarks] = Watermarks) -> MatchEvaluator:
    """Return correlate's own evaluator of the rules of these tests."""
    path = RULES / RULE_FILE
    loaded = RuleSet.load([RuleDocument(str(path), path.read_text(encoding="utf-8"))])
    return MatchEvaluator(
        correlations(loaded), lambda: book(KINDS, lambda _: lateness_s), Metrics(CollectorRegistry())
    )


def finals(findings: Iterable[dict[str, Any]]) -> set[bytes]:
    """Return the finals as bytes, without `confirms`: which provisionals went out depends on arrival."""
    return {
        orjson.dumps({k: v for k, v in found.items() if k != "confirms"}, option=orjson.OPT_SORT_KEYS)
        for found in findings
        if found["status"] == "final"
    }


def numbered(log: Iterable[KeyedRecord]) -> list[Record]:
    """Return what a worker would read: offsets rise by partition, append time is the heartbeat's."""
    offsets = [itertools.count() for _ in range(PARTITIONS)]
    return [Record(p, next(offsets[p]), key, value, START + 1e7) for _, p, key, value in log]


def heartbeats(now: float, *, idle: bool) -> list[KeyedRecord]:
    """Return the heartbeats of one moment, one a partition."""
    report = {
        "kind": "kubernetes_audit",
        "through_offset": 1,
        "max_event_time": now,
        "append_time": now,
        "idle": idle,
    }
    document = {
        "kind": "heartbeat",
        "worker": "w",
        "partition_counts": {"k8s.audit": _SOURCES},
        "partitions": {f"k8s.audit/{number}": report for number in range(_SOURCES)},
    }
    return [(MATCHES, partition, b"", orjson.dumps(document)) for partition in range(PARTITIONS)]


def _match(correlation: str, base: str, user: str, number: int, at: float) -> Match:
    entity = Entity("k8s_user", user, "actor")
    event_id = f"{user}-{number}"
    where = (correlation, base, (user,), event_id, at, "kubernetes_audit", "low", (entity,))
    return Match(*where, f"{user} was refused")


def _record(match: Match) -> KeyedRecord:
    key = match.key().encode()
    return MATCHES, crc32(key) % PARTITIONS, key, orjson.dumps(match.to_json())
