"""Correlations as a pure state machine: matches and a watermark in, findings and the next state out.

Same final findings for any order of arrival within lateness; duplicates change nothing; replaying gives
the same ids. Event time only. The walks live in one file a correlation type. A `Correlator` takes steps on
windows in memory; `advance` is the same from one JSON state to the next.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from operator import attrgetter
from typing import Final, NamedTuple, TypeAlias, cast

from detectors.advance import Advance
from detectors.event import Fields
from detectors.finding import Finding
from detectors.sigma import event_count, temporal, temporal_ordered, value_count, value_measure
from detectors.sigma.correlation_finding import finding
from detectors.sigma.episode import Episode
from detectors.sigma.match import Match
from detectors.sigma.rule import CorrelationKind, CorrelationRule
from detectors.sigma.sliding import least, rises
from detectors.sigma.window import AFTER_ALL, Announced, Held, Window

Walk: TypeAlias = Callable[[CorrelationRule, Sequence[Held], float], Iterator[Episode]]
Possible: TypeAlias = Callable[[Sequence[Held]], bool]
WALKS: Final[Mapping[CorrelationKind, tuple[Walk, Callable[[CorrelationRule], Possible]]]] = {
    "event_count": (event_count.walk, event_count.may_hold),
    "temporal": (temporal.walk, temporal.may_hold),
    "temporal_ordered": (temporal_ordered.walk, temporal_ordered.may_hold),
    "value_avg": (value_measure.walk, value_measure.may_hold),
    "value_count": (value_count.walk, value_count.may_hold),
    "value_median": (value_measure.walk, value_measure.may_hold),
    "value_percentile": (value_measure.walk, value_measure.may_hold),
    "value_sum": (value_measure.walk, value_measure.may_hold),
}


class Closed(NamedTuple):
    """A final finding and the matches that it is made of."""

    finding: Finding
    events: Sequence[Held]


class Step(NamedTuple):
    """What a step found. `settled` and `overflow` are matches that were not used (see `Advance.counts`).

    `repeated` are those that the window held already.
    """

    finals: Sequence[Closed] = ()
    provisional: Sequence[Finding] = ()
    settled: int = 0
    overflow: int = 0
    repeated: int = 0

    @property
    def findings(self) -> list[Finding]:
        """All findings, final ones first."""
        return [*(final.finding for final in self.finals), *self.provisional]


_NOTHING: Final = Step()
_TIME: Final = attrgetter("time")
KEEP: Final = 1.25
"""So many time spans a match is held before it is let go, so that not every step lets one go."""


class Correlator:
    """Evaluates one correlation on the windows of its groups. Holds no state of its own.

    `least` is a number of matches: a group that never has as many never makes a finding. `monotone`: of
    matches that make no finding no part makes one either.
    """

    def __init__(self, rule: CorrelationRule) -> None:
        self.rule = rule
        self._walk, possible = WALKS[rule.kind]
        self._by_rule = rule.kind in ("temporal", "temporal_ordered")
        self._places = {rule_id: place for place, rule_id in reversed(list(enumerate(rule.rules)))}
        self._keep_s = rule.timespan_s * KEEP
        self._most = value_measure.Most(rule) if rule.kind in value_measure.FIGURES else None
        self._figure = rule.kind in value_measure.FIGURES
        self._tumbles = (
            temporal.excludes(temporal.wanted(rule)) if rule.kind == "temporal" else not rises(rule)
        )
        self._possible = bool if self._tumbles else possible(rule)
        counts = rule.kind in ("event_count", "value_count") and not self._tumbles
        self.least = least(rule) if counts else 1
        self.monotone = not self._tumbles and not self._figure

    def step(self, window: Window, matches: Sequence[Match], watermark: float) -> Step:
        """Take in matches of one group, change its window in place, and return what is now known.

        `watermark` (seconds, event time): no match before it is still to come; a match exactly at it may
        be. Provisional findings come as soon as the walk over all that is held shows an episode that more
        events cannot undo; final ones when the watermark is beyond it.
        """
        if matches and self._can_wait(window, matches, watermark):
            return _NOTHING
        if not window.items and (passed := self._passed(window, matches, watermark)) is not None:
            return passed
        joins = window.open is not None and _joins(window.open, [*window.pending, *matches], watermark)
        unused = self.flush(window, matches)
        held = window.items
        if not held:
            window.due = None
            return unused
        if joins and window.open is not None and not self._begins(held, window.open[1]):
            return unused
        first = held[0].time
        span = self.rule.timespan_s
        if self._tumbles:
            if first + span >= watermark:
                window.due = first + span
                return unused
        elif not self._may_hold(window, matches):
            self._pass(window, first, watermark)
            return unused
        finals, provisional = self._walked(window, watermark)
        return unused._replace(finals=finals, provisional=provisional)

    def flush(self, window: Window, matches: Sequence[Match] = ()) -> Step:
        """Take in what is pending and more matches; return what of it was not used."""
        waited = bool(window.pending)
        if waited:
            matches = [*window.pending, *matches]
            window.pending = []
        if not matches:
            return _NOTHING
        settled, repeated, overflow = window.add(matches, self._places, self._by_rule)
        overflow += window.trim()
        if waited:
            window.due = window.items[0].time + self._keep_s if window.items else None
        if settled or repeated or overflow:
            return Step(settled=settled, overflow=overflow, repeated=repeated)
        return _NOTHING

    def refutes(self, times: Sequence[float], values: Iterable[str | float | None]) -> bool:
        """Return whether matches of these times surely make no finding, however they are judged."""
        least, span = self.least, self.rule.timespan_s
        if len(times) < least:
            return True
        if least == 1:
            return False
        if self.rule.kind == "value_count" and len({*values} - {None}) < least:
            return True
        ordered = sorted(times)
        return all(first + span < last for first, last in zip(ordered, ordered[least - 1 :], strict=False))

    def _can_wait(self, window: Window, matches: Sequence[Match], watermark: float) -> bool:
        """Let matches wait where there are too few for a finding; that they may repeat makes them fewer."""
        if len(window.items) + len(window.pending) + len(matches) >= self.least:
            return False
        due = window.due
        if due is not None and watermark > due:
            return False
        window.pending += matches
        first = matches[0].time if len(matches) == 1 else min(match.time for match in matches)
        if due is None or first + self._keep_s < due:
            window.due = first + self._keep_s
        return True

    def _passed(self, window: Window, matches: Sequence[Match], watermark: float) -> Step | None:
        """Let go of what waited in vain: too few matches for a finding, nothing else held.

        The same as `flush` and `_pass`, without a place in the window for each; None where it is not.
        """
        waiting, horizon = [*window.pending, *matches], watermark - self.rule.timespan_s
        due, floor = window.due, window.floor
        if not self.monotone or not 0 < len(waiting) < self.least or due is None or watermark <= due:
            return None
        if floor is not None and any(match.time <= floor[0] for match in waiting):
            return None
        gone = [match for match in waiting if match.time < horizon]
        if any(match.rule not in self._places for match in gone):
            return None
        window.pending = (
            [match for match in waiting if match.time >= horizon] if len(gone) < len(waiting) else []
        )
        if gone:
            window.quiet = window.quiet or (floor is None and not window.overflow)
            window.settle((max(match.time for match in gone), AFTER_ALL, ""))
        window.open = None
        window.due = min(match.time for match in window.pending) + self._keep_s if window.pending else None
        return Step(repeated=len(gone) - len({match.event_id for match in gone})) if gone else _NOTHING

    def _begins(self, held: Sequence[Held], after: float) -> bool:
        """Return whether matches after an open episode may make another one."""
        if held[-1].time <= after:
            return False
        rest = held[bisect_right(held, after, key=_TIME) :]
        return len(rest) >= self.least and self._possible(rest)

    def _may_hold(self, window: Window, matches: Sequence[Match]) -> bool:
        """Return False only if no window of what is held can satisfy bounds from below."""
        if self._most is None:
            return self._possible(window.items)
        most = window.most
        if most is not None:
            window.most = most = self._most.more(most, matches)
            if not self._most.satisfies(most):
                return False
        window.most = most = self._most.of(window.items)
        return self._most.satisfies(most)

    def _pass(self, window: Window, first: float, watermark: float) -> None:
        """Nothing that is held can make an episode: let go what is too old for any, some at a time."""
        if first < watermark - self._keep_s:
            window.forget(watermark - self.rule.timespan_s, quiet=self.monotone and not window.overflow)
        window.open = None
        window.due = window.items[0].time + self._keep_s if window.items else None
        if self._figure:
            self._judge(window, (), watermark)

    def _walked(self, window: Window, watermark: float) -> tuple[list[Closed], list[Finding]]:
        overflowed = window.overflow > 0
        episodes = list(self._walk(self.rule, window.items, window.judged))
        closed = list(takewhile(lambda episode: episode.closes_at < watermark, episodes))
        finals = [self._final(window, episode, overflowed) for episode in closed if episode.holds]
        if closed:
            window.settle(closed[-1].floor)
            window.overflow = 0
            window.quiet = False
        still_open = episodes[len(closed) :]
        if not still_open:
            self._pass(window, window.items[0].time if window.items else watermark, watermark)
            return finals, []
        provisional = self._announce(window, still_open)
        horizon = watermark - self.rule.timespan_s
        window.forget(min([horizon, *(episode.events[0].time for episode in still_open)]))
        if self._figure:
            self._judge(window, still_open, watermark)
        window.due = min(episode.closes_at for episode in still_open)
        one = still_open[0]
        window.open = (one.core[-1].time, one.closes_at) if len(still_open) == 1 and one.certain else None
        return finals, provisional

    def _announce(self, window: Window, episodes: Sequence[Episode]) -> list[Finding]:
        found: list[Finding] = []
        for episode in episodes:
            if not episode.certain or _told(window, episode):
                continue
            new = finding(self.rule, episode.core, episode, "provisional", (), window.overflow > 0)
            own = frozenset(item.event_id for item in episode.core)
            window.announced.append(Announced(new.finding_id, own))
            window.changed = True
            found.append(new)
        return found

    def _final(self, window: Window, episode: Episode, overflowed: bool) -> Closed:
        ids = {item.event_id for item in episode.events}
        confirms = tuple(known.finding_id for known in window.announced if ids & known.event_ids)
        return Closed(
            finding(self.rule, episode.events, episode, "final", confirms, overflowed), episode.events
        )

    def _judge(self, window: Window, episodes: Sequence[Episode], watermark: float) -> None:
        """Remember up to where all windows were judged on all events; an open episode is judged again."""
        reached = min((episode.core[-1].time for episode in episodes), default=watermark)
        judged = max(window.judged, min(reached, watermark))
        if judged > window.judged:
            window.judged = judged
            window.changed = True


def _joins(open_: tuple[float, float], matches: Sequence[Match], watermark: float) -> bool:
    after, until = open_
    return watermark <= until and all(after < match.time for match in matches)


def _told(window: Window, episode: Episode) -> bool:
    """Return whether an event of the episode was announced."""
    return any(
        not known.event_ids.isdisjoint(item.event_id for item in episode.events) for known in window.announced
    )


def advance(
    rule: CorrelationRule, state: Fields | None, new_matches: Iterable[Match], watermark: float
) -> Advance:
    """Take one step from a JSON state, which is not changed in place, to the next; see `Correlator.step`."""
    before: Fields = state or {}
    window = Window.from_json(before)
    correlator = Correlator(rule)
    step = correlator.step(window, list(new_matches), watermark)
    rest = correlator.flush(window)
    after = window.to_json()
    counts = {
        name: n
        for name, n in (
            ("settled", step.settled + rest.settled),
            ("overflow", step.overflow + rest.overflow),
        )
        if n
    }
    return Advance(after, step.findings, after != before, counts)


def due(state: Fields) -> float | None:
    """Return the event time beyond which this group wants an `advance` without new matches, or None."""
    return cast("float | None", state.get("due"))


def is_idle(state: Fields, watermark: float, keep_s: float) -> bool:
    """Return whether a group holds nothing and settled more than `keep_s` seconds ago: safe to delete."""
    floor = cast("list[float] | None", state.get("floor"))
    return not state.get("held") and (floor is None or floor[0] + keep_s < watermark)
