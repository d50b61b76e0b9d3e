"""Correlations as a pure state machine: matches and a watermark in, findings and the next state out.

Same final findings for any order of arrival within lateness; duplicates change nothing; replaying gives
the same ids. Event time only. The walks live in one file a correlation type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Final, TypeAlias, cast

from detectors.advance import Advance
from detectors.event import Entity, Fields
from detectors.finding import Finding, Status, finding_id
from detectors.sigma import event_count, temporal, temporal_ordered, value_count, value_measure
from detectors.sigma.episode import Episode
from detectors.sigma.match import Match
from detectors.sigma.rule import CorrelationKind, CorrelationRule
from detectors.sigma.window import AFTER_ALL, Announced, Held, Window
from detectors.wording import MAX_SENTENCE, plain

Walk: TypeAlias = Callable[[CorrelationRule, Sequence[Held], float], Iterator[Episode]]
WALKS: Final[Mapping[CorrelationKind, Walk]] = {
    "event_count": event_count.walk,
    "temporal": temporal.walk,
    "temporal_ordered": temporal_ordered.walk,
    "value_avg": value_measure.walk,
    "value_count": value_count.walk,
    "value_median": value_measure.walk,
    "value_percentile": value_measure.walk,
    "value_sum": value_measure.walk,
}
MAX_ENTITIES: Final = 32


def advance(
    rule: CorrelationRule, state: Fields | None, new_matches: Iterable[Match], watermark: float
) -> Advance:
    """Take in matches of one group and return what is now known.

    `watermark` (seconds, event time): no match before it is still to come; a match exactly at it may
    be. Provisional findings come as soon as the walk over all that is held shows an episode that more
    events cannot undo; final ones when the watermark is beyond it. `state` is not changed in place.
    """
    before: Fields = state or {}
    window = Window.from_json(before)
    settled = window.add(rule, new_matches)
    overflow = window.trim()
    overflowed = window.overflow > 0
    episodes = list(WALKS[rule.kind](rule, window.ordered(), window.judged))
    closed = list(takewhile(lambda episode: episode.closes_at < watermark, episodes))
    findings = [_final(rule, window, episode, overflowed) for episode in closed if episode.holds]
    if closed:
        window.settle(closed[-1].floor)
        window.overflow = 0
    still_open = episodes[len(closed) :]
    findings += _announce(rule, window, still_open)
    _forget(rule, window, still_open, watermark)
    if rule.kind in value_measure.FIGURES:
        _judge(window, still_open, watermark)
    after = window.to_json(_due(rule, window, still_open))
    counts = {name: n for name, n in (("settled", settled), ("overflow", overflow)) if n}
    return Advance(after, findings, after != before, counts)


def due(state: Fields) -> float | None:
    """Return the event time beyond which this group wants an `advance` without new matches, or None."""
    return cast("float | None", state.get("due"))


def is_idle(state: Fields, watermark: float, keep_s: float) -> bool:
    """Return whether a group holds nothing and settled more than `keep_s` seconds ago: safe to delete."""
    floor = cast("list[float] | None", state.get("floor"))
    return not state.get("held") and (floor is None or floor[0] + keep_s < watermark)


def _announce(rule: CorrelationRule, window: Window, episodes: Sequence[Episode]) -> list[Finding]:
    findings: list[Finding] = []
    for episode in episodes:
        ids = {item.event_id for item in episode.events}
        if not episode.certain or any(ids & known.event_ids for known in window.announced):
            continue
        finding = _finding(rule, episode.core, episode, "provisional", (), window.overflow > 0)
        window.announced.append(Announced(finding.finding_id, frozenset(finding.event_ids)))
        findings.append(finding)
    return findings


def _final(rule: CorrelationRule, window: Window, episode: Episode, overflowed: bool) -> Finding:
    ids = {item.event_id for item in episode.events}
    confirms = tuple(known.finding_id for known in window.announced if ids & known.event_ids)
    return _finding(rule, episode.events, episode, "final", confirms, overflowed)


def _forget(rule: CorrelationRule, window: Window, episodes: Sequence[Episode], watermark: float) -> None:
    """Drop what no later event can join: older than one span before the watermark, in no open episode."""
    horizon = watermark - rule.timespan_s
    oldest_open = min((episode.events[0].time for episode in episodes), default=horizon)
    horizon = min(horizon, oldest_open)
    if any(item.time < horizon for item in window.held.values()):
        last = max(item.order for item in window.held.values() if item.time < horizon)
        window.settle((last[0], AFTER_ALL, ""))
    held = {item.event_id for item in window.held.values()}
    window.announced = [known for known in window.announced if known.event_ids & held]


def _judge(window: Window, episodes: Sequence[Episode], watermark: float) -> None:
    """Remember up to where all windows were judged on all their events; an open episode is judged again."""
    reached = min((episode.core[-1].time for episode in episodes), default=watermark)
    window.judged = max(window.judged, min(reached, watermark))


def _due(rule: CorrelationRule, window: Window, episodes: Sequence[Episode]) -> float | None:
    if episodes:
        return min(episode.closes_at for episode in episodes)
    oldest = min((item.time for item in window.held.values()), default=None)
    return None if oldest is None else oldest + rule.timespan_s


def _finding(
    rule: CorrelationRule,
    events: Sequence[Held],
    episode: Episode,
    status: Status,
    confirms: tuple[str, ...],
    overflowed: bool,
) -> Finding:
    identity = rule.identity
    ids = tuple(dict.fromkeys(item.event_id for item in events))
    completing = episode.core[-1]
    labels = {} if identity.playbook is None else {"playbook": identity.playbook}
    if overflowed:
        labels["overflow"] = "true"
    return Finding(
        rule_id=identity.id,
        title=identity.title,
        level=identity.level,
        base_level=identity.level,
        status=status,
        source=events[0].source,
        event_id=completing.event_id,
        event_ids=ids,
        event_time=completing.time,
        first_time=events[0].time,
        last_time=events[-1].time,
        count=len(ids),
        entities=_entities(events),
        attack=identity.attack,
        explain=_explain(rule, events, episode, overflowed),
        finding_id=finding_id(identity.id, identity.version, [*ids, status] if status != "final" else ids),
        confirms=confirms,
        labels=labels,
    )


def _entities(events: Sequence[Held]) -> tuple[Entity, ...]:
    found = dict.fromkeys(entity for item in events for entity in item.entities)
    return tuple(found)[:MAX_ENTITIES]


def _explain(rule: CorrelationRule, events: Sequence[Held], episode: Episode, overflowed: bool) -> str:
    span = events[-1].time - events[0].time
    if rule.kind == "temporal_ordered":
        span = episode.core[-1].time - episode.core[0].time
        steps = ", then ".join(item.summary for item in episode.core)
        text = f"{rule.identity.title}: {steps}, in {span:.0f} s (at most {rule.timespan_s:.0f} s)"
    else:
        many = f"{len(events)} or more" if overflowed else str(len(events))
        text = (
            f"{rule.identity.title}: {many} events in {span:.0f} s "
            f"({_asked(rule)} in {rule.timespan_s:.0f} s); the first: {events[0].summary}"
        )
    return plain(text, MAX_SENTENCE)


def _asked(rule: CorrelationRule) -> str:
    """Return the condition in a few words."""
    if rule.kind == "event_count":
        return f"{rule.op} {rule.count}"
    if rule.kind == "temporal":
        return f"{len(rule.rules)} rules together"
    figure = rule.kind.replace("_", " ") + (f" {rule.percentile}" if rule.percentile is not None else "")
    return f"{figure} of {', '.join(rule.value)} {rule.op} {rule.count}"
