"""Matches into windows: each group of a correlation advances with its matches and with the watermark.

Records of a partition are taken in offset order. A heartbeat that moves the watermark first lets the matches
before it advance under the old one, then wakes the groups of that partition which were due. A group that
never made a finding is deleted as soon as no match in time can share a window with what it held; one that did
keeps its floor for `KEEP_IDLE_S`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

from daemon.roles.correlate.error import MessageFormatError
from daemon.roles.correlate.evaluation import Evaluation, Record, States, Write, text_key
from daemon.roles.correlate.heartbeat import parse_heartbeat
from daemon.roles.correlate.match_record import read
from daemon.roles.correlate.metrics import Metrics
from daemon.roles.correlate.stamp import bears, stamped
from daemon.roles.correlate.waking import KEEP_IDLE_S, Waking, wakes
from daemon.roles.correlate.watermark import ALWAYS, FUTURE_S, NEVER, Watermarks
from daemon.roles.correlate.windows import Windows
from detectors.event import Fields
from detectors.sigma.correlation import Correlator, Step
from detectors.sigma.match import Match
from detectors.sigma.rule import CorrelationRule
from detectors.sigma.window import Window

MAX_GROUPS: Final = 250_000
MOST_GONE: Final = 2_000
"""So many states of correlations taken out are deleted with one batch of a partition."""


@dataclass(frozen=True, slots=True)
class Correlation:
    """A correlation, the source kinds that its base rules can match, and the stamp of its states."""

    rule: CorrelationRule
    kinds: frozenset[str]
    correlator: Correlator
    stamp: str = ""


class MatchEvaluator:
    """Evaluates `davylamp.matches`. `watermarks` makes an empty book; one is kept for each partition.

    A partition holds `most_groups` groups; beyond them those that hold nothing, then the oldest are dropped,
    counted and named. With each of its batches it deletes `most_gone` groups of correlations taken out.
    """

    def __init__(
        self,
        correlations: Mapping[str, Correlation],
        watermarks: Callable[[], Watermarks],
        metrics: Metrics,
        most_groups: int = MAX_GROUPS,
        most_gone: int = MOST_GONE,
    ) -> None:
        self._most_gone = most_gone
        self._most_groups = most_groups
        self._correlations = correlations
        self._metrics = metrics
        self._new_watermarks = watermarks
        self._watermarks: dict[int, Watermarks] = {}
        self._waking = Waking(correlations)
        self._windows = Windows()

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
        for partition in {record.partition for record in records}:
            batch.drop_gone(partition, self._most_gone)
            batch.drop_oldest(partition, self._most_groups)
        return batch.evaluation()

    def swap(self, correlations: Mapping[str, Correlation]) -> None:
        """Put other correlations in force from the next batch on.

        Groups of those that stay as they were defined go on. States that another definition wrote are
        dropped when they are next asked for, those of correlations taken out with the batches to come.
        """
        self._correlations = correlations
        self._waking.serve(correlations)
        self._windows.clear()

    def forget(self) -> None:
        """Drop watermarks and wake-up times: they are told again, and read from the states again."""
        self._watermarks.clear()
        self._waking.clear()
        self._windows.clear()

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

    @property
    def windows(self) -> Windows:
        """Windows in memory, beside their states."""
        return self._windows

    def _take(self, record: Record, batch: _Batch) -> None:
        known = read(record)
        if isinstance(known, Match):
            batch.add(record, self._accepted(record, known), text_key(record))
        elif known.get("kind") == "heartbeat":
            self._heartbeat(record, known, batch)
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

    def _accepted(self, record: Record, match: Match) -> Match:
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
    """The windows of one batch while it is evaluated."""

    def __init__(self, owner: MatchEvaluator, states: States) -> None:
        self._owner = owner
        self._states = states
        self._pending: dict[int, dict[str, list[Match]]] = defaultdict(dict)
        self._current: dict[tuple[int, str], Window | None] = {}
        self._overflow: Counter[str] = Counter()
        self._stored: set[tuple[int, str]] = set()
        self._stale: Counter[tuple[str, str]] = Counter()
        self._evaluation = Evaluation()

    def partitions(self) -> list[int]:
        return sorted(self._pending)

    def add(self, record: Record, match: Match, key: str) -> None:
        self._pending[record.partition].setdefault(key, []).append(match)

    def advance(self, partition: int) -> None:
        """Let the groups advance that have new matches."""
        for key, matches in self._pending.pop(partition, {}).items():
            self._step(partition, key, matches[0].correlation, matches)

    def wake(self, partition: int) -> None:
        """Let the groups advance that were waiting for the watermark."""
        for key in self._owner.waking.due(
            partition, self._states, lambda c: self._owner.watermark(partition, c)
        ):
            self._step(partition, key, key.partition("|")[0], ())

    def drop_gone(self, partition: int, most: int) -> None:
        """Drop so many groups of correlations that are not in force any more."""
        for key in self._owner.waking.take_gone(partition, most):
            self._current[partition, key] = None
            if self._states.read(key, partition) is not None:
                self._stored.add((partition, key))
            self._stale["removed", key.partition("|")[0]] += 1

    def drop_oldest(self, partition: int, most: int) -> None:
        """Drop the oldest groups of a partition that has more than `most`, down to nine tenths."""
        waking = self._owner.waking
        count = waking.count(partition)
        if count <= most:
            return
        dropped: Counter[str] = Counter()
        for key in waking.oldest(partition, count - most * 9 // 10):
            dropped[key.partition("|")[0]] += 1
            waking.note(partition, key, None, self._states)
            self._current[partition, key] = None
            if self._states.read(key, partition) is not None:
                self._stored.add((partition, key))
        for correlation_id, groups in dropped.items():
            self._owner.metrics.report_overflow("group", correlation_id, groups)

    def evaluation(self) -> Evaluation:
        """Return findings in the order in which they were made, and the states that changed."""
        kept = self._owner.windows
        for owner, window in sorted(self._current.items(), key=itemgetter(0)):
            partition, key = owner
            if window is None:
                if owner in self._stored:
                    self._evaluation.writes.append(Write(key, None, partition))
                continue
            correlation = self._owner.correlations[key.partition("|")[0]]
            self._count(key, correlation.correlator.flush(window))
            if window.changed:
                value = stamped(window.dump(), correlation.stamp)
                window.changed = False
                self._evaluation.writes.append(Write(key, value, partition))
                kept.keep(owner, value, window)
        for correlation_id, count in self._overflow.items():
            self._owner.metrics.report_overflow("correlation", correlation_id, count)
        for (why, correlation_id), count in self._stale.items():
            self._owner.metrics.report_stale(why, correlation_id, count)
        return self._evaluation

    def _step(self, partition: int, key: str, correlation_id: str, matches: Sequence[Match]) -> None:
        owner = self._owner
        correlation = owner.correlations[correlation_id]
        watermark = owner.watermark(partition, correlation)
        if matches and correlation.correlator.monotone:
            matches = self._in_time(matches, watermark - correlation.rule.timespan_s)
            if not matches:
                return
        window = self._window(partition, key)
        step = correlation.correlator.step(window, matches, watermark)
        if step.finals or step.provisional:
            self._evaluation.findings.extend(step.findings)
        self._count(key, step)
        if window.idle(watermark, KEEP_IDLE_S):
            self._current[partition, key] = None
            owner.waking.note(partition, key, None, self._states)
        else:
            owner.waking.note(partition, key, wakes(window), self._states)

    def _in_time(self, matches: Sequence[Match], horizon: float) -> Sequence[Match]:
        """Leave out matches that are more than lateness and a span old: their group may be forgotten.

        No match in time shares a window with them. Without a source at all (horizon +inf) none is late.
        """
        if horizon == ALWAYS or all(match.time >= horizon for match in matches):
            return matches
        kept = [match for match in matches if match.time >= horizon]
        self._owner.metrics.settled.inc(len(matches) - len(kept))
        return kept

    def _count(self, key: str, step: Step) -> None:
        metrics = self._owner.metrics
        if step.repeated:
            metrics.repeated.inc(step.repeated)
        if step.settled:
            metrics.settled.inc(step.settled)
        if step.overflow:
            self._overflow[key.partition("|")[0]] += step.overflow

    def _window(self, partition: int, key: str) -> Window:
        window = self._current.get((partition, key))
        if window is None:
            # Of a group that this batch deleted, nothing is read again.
            fresh = (partition, key) not in self._current
            value = self._states.read(key, partition) if fresh else None
            if value is not None:
                self._stored.add((partition, key))
                if not bears(value, self._owner.correlations[key.partition("|")[0]].stamp):
                    self._stale["changed", key.partition("|")[0]] += 1
                    value = None
            window = Window() if value is None else self._owner.windows.read((partition, key), value)
            self._current[partition, key] = window
        return window
