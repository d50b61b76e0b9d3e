"""Matches into windows: each group of a correlation advances with its matches and with the watermark.

Records of a partition are taken in offset order. A heartbeat that moves the watermark first lets the matches
before it advance under the old one, then wakes the groups of that partition which were due.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

import orjson

from daemon.roles.correlate.error import MessageFormatError
from daemon.roles.correlate.evaluation import Evaluation, Record, States, Write, decode, text_key
from daemon.roles.correlate.heartbeat import parse_heartbeat
from daemon.roles.correlate.metrics import Metrics
from daemon.roles.correlate.waking import Waking
from daemon.roles.correlate.watermark import FUTURE_S, NEVER, Watermarks
from detectors.event import Fields, Json
from detectors.sigma.correlation import advance, is_idle
from detectors.sigma.match import Match, MatchFormatError
from detectors.sigma.rule import CorrelationRule

KEEP_IDLE_S: Final = 7 * 86400.0


@dataclass(frozen=True, slots=True)
class Correlation:
    """A correlation and the source kinds that its base rules can match."""

    rule: CorrelationRule
    kinds: frozenset[str]


class MatchEvaluator:
    """Evaluates `davylamp.matches`. `watermarks` makes an empty book; one is kept for each partition."""

    def __init__(
        self,
        correlations: Mapping[str, Correlation],
        watermarks: Callable[[], Watermarks],
        metrics: Metrics,
    ) -> None:
        self._correlations = correlations
        self._metrics = metrics
        self._new_watermarks = watermarks
        self._watermarks: dict[int, Watermarks] = {}
        self._waking = Waking(correlations, KEEP_IDLE_S)

    def evaluate(self, records: Sequence[Record], states: States) -> Evaluation:
        """Evaluate a batch; see `Evaluator`."""
        batch = _Batch(self, states)
        for record in records:
            try:
                self._take(record, batch)
            except MessageFormatError as error:
                self._metrics.rejected.labels(error.reason).inc()
        for partition in batch.partitions():
            batch.advance(partition)
        return batch.evaluation()

    def forget(self) -> None:
        """Drop watermarks and wake-up times: they are told again, and read from the states again."""
        self._watermarks.clear()
        self._waking.clear()

    def lowest(self, kinds: Iterable[str]) -> float:
        """Return the least watermark of these kinds over the owned partitions; -inf before any heartbeat."""
        wanted = list(kinds)
        return min((book.of(wanted) for book in self._watermarks.values()), default=NEVER)

    def watermark(self, partition: int, correlation: Correlation) -> float:
        """Return the watermark of a correlation's groups in one partition."""
        return self._book(partition).of(correlation.kinds)

    @property
    def correlations(self) -> Mapping[str, Correlation]:
        """The correlations by id."""
        return self._correlations

    @property
    def metrics(self) -> Metrics:
        """The counters."""
        return self._metrics

    @property
    def waking(self) -> Waking:
        """When which group wants to advance without new matches."""
        return self._waking

    def _take(self, record: Record, batch: _Batch) -> None:
        document = decode(record)
        kind = document.get("kind")
        if kind == "heartbeat":
            self._heartbeat(record, document, batch)
        elif kind == "match":
            batch.add(record, self._match(record, document), text_key(record))
        else:
            raise MessageFormatError("unknown_kind")

    def _heartbeat(self, record: Record, document: Fields, batch: _Batch) -> None:
        heartbeat = parse_heartbeat(document, record.time)
        self._metrics.heartbeats.inc()
        batch.advance(record.partition)
        moved, future = self._book(record.partition).observe(heartbeat)
        self._metrics.future.labels("heartbeat").inc(future)
        if moved:
            batch.wake(record.partition)

    def _match(self, record: Record, document: Fields) -> Match:
        try:
            match = Match.from_json(document)
        except MatchFormatError as error:
            raise MessageFormatError("match") from error
        if match.correlation not in self._correlations:
            raise MessageFormatError("unknown_correlation")
        self._metrics.matches.inc()
        if match.time > record.time + FUTURE_S:
            self._metrics.future.labels("match").inc()
        return match

    def _book(self, partition: int) -> Watermarks:
        book = self._watermarks.get(partition)
        if book is None:
            book = self._watermarks[partition] = self._new_watermarks()
        return book


class _Batch:
    """The states of one batch while it is evaluated."""

    def __init__(self, owner: MatchEvaluator, states: States) -> None:
        self._owner = owner
        self._states = states
        self._pending: dict[int, dict[str, list[Match]]] = defaultdict(dict)
        self._current: dict[tuple[int, str], Fields | None] = {}
        self._dirty: set[tuple[int, str]] = set()
        self._evaluation = Evaluation()

    def partitions(self) -> list[int]:
        return sorted(self._pending)

    def add(self, record: Record, match: Match, key: str) -> None:
        self._pending[record.partition].setdefault(key, []).append(match)

    def advance(self, partition: int) -> None:
        """Let the groups advance that have new matches."""
        for key, matches in self._pending.pop(partition, {}).items():
            self._step(partition, key, self._owner.correlations[matches[0].correlation], matches)

    def wake(self, partition: int) -> None:
        """Let the groups advance that were waiting for the watermark."""
        for key in self._owner.waking.due(
            partition, self._states, lambda c: self._owner.watermark(partition, c)
        ):
            correlation = self._owner.correlations[key.partition("|")[0]]
            self._step(partition, key, correlation, ())

    def evaluation(self) -> Evaluation:
        """Return findings in the order in which they were made, and the states that changed."""
        for partition, key in sorted(self._dirty):
            state = self._current[partition, key]
            value = None if state is None else orjson.dumps(state)
            self._evaluation.writes.append(Write(key, value, partition))
        return self._evaluation

    def _step(self, partition: int, key: str, correlation: Correlation, matches: Sequence[Match]) -> None:
        state = self._state(partition, key)
        watermark = self._owner.watermark(partition, correlation)
        self._count_repeated(state, matches)
        step = advance(correlation.rule, state, matches, watermark)
        self._evaluation.findings.extend(step.findings)
        metrics = self._owner.metrics
        metrics.settled.inc(step.counts.get("settled", 0))
        if "overflow" in step.counts:
            metrics.report_overflow("correlation", key.partition("|")[0], step.counts["overflow"])
        gone = is_idle(step.state, watermark, KEEP_IDLE_S)
        if step.changed or (gone and state is not None):
            self._current[partition, key] = None if gone else step.state
            self._dirty.add((partition, key))
        self._owner.waking.note(partition, key, None if gone else step.state, self._states)

    def _state(self, partition: int, key: str) -> Fields | None:
        if (partition, key) not in self._current:
            value = self._states.read(key, partition)
            self._current[partition, key] = None if value is None else orjson.loads(value)
        return self._current[partition, key]

    def _count_repeated(self, state: Fields | None, matches: Sequence[Match]) -> None:
        held = state.get("held") if state else None
        known = {str(row[2]) for row in cast("list[list[Json]]", held)} if held else set[str]()
        ids = [match.event_id for match in matches]
        self._owner.metrics.repeated.inc(sum(i in known for i in ids) + len(ids) - len(set(ids)))
