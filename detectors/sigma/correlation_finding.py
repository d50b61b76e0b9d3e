"""The finding of a correlation: what it says of the matches of an episode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from detectors.event import Entity
from detectors.finding import Finding, Status, finding_id
from detectors.sigma.episode import Episode
from detectors.sigma.rule import CorrelationRule
from detectors.sigma.window import HELD_ENTITIES, Held
from detectors.wording import MAX_SENTENCE, plain

MAX_ENTITIES: Final = 32


def finding(
    rule: CorrelationRule,
    events: Sequence[Held],
    episode: Episode,
    status: Status,
    confirms: tuple[str, ...],
    overflowed: bool,
) -> Finding:
    """Return the finding of `events`, those of the episode or its core."""
    identity = rule.identity
    ids = event_ids(events)
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
        source=events[0].evidence.source,
        event_id=(completing.evidence.events or (completing.event_id,))[-1],
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


def event_ids(events: Sequence[Held]) -> tuple[str, ...]:
    """Return the ids of all events of matches, each once; of a finding's match, those of the finding."""
    found: dict[str, None] = {}
    for item in events:
        below = item.evidence.events
        if below:
            found.update(dict.fromkeys(below))
        else:
            found[item.event_id] = None
    return tuple(found)


def _entities(events: Sequence[Held]) -> tuple[Entity, ...]:
    found = dict.fromkeys(entity for item in events for entity in item.evidence.entities[:HELD_ENTITIES])
    return tuple(found)[:MAX_ENTITIES]


def _explain(rule: CorrelationRule, events: Sequence[Held], episode: Episode, overflowed: bool) -> str:
    span = events[-1].time - events[0].time
    if rule.kind == "temporal_ordered":
        span = episode.core[-1].time - episode.core[0].time
        steps = ", then ".join(item.evidence.summary for item in episode.core)
        text = f"{rule.identity.title}: {steps}, in {span:.0f} s (at most {rule.timespan_s:.0f} s)"
    else:
        many = f"{len(events)} or more" if overflowed else str(len(events))
        what = "findings" if all(item.evidence.events for item in events) else "events"
        text = (
            f"{rule.identity.title}: {many} {what} in {span:.0f} s "
            f"({_asked(rule)} in {rule.timespan_s:.0f} s); the first: {events[0].evidence.summary}"
        )
    return plain(text, MAX_SENTENCE)


def _asked(rule: CorrelationRule) -> str:
    """Return the condition in a few words."""
    bounds = " and ".join(f"{op} {count:g}" for op, count in rule.bounds)
    if rule.kind == "event_count":
        return bounds
    if rule.kind == "temporal":
        return f"{len(rule.rules)} rules together"
    figure = rule.kind.replace("_", " ") + (f" {rule.percentile}" if rule.percentile is not None else "")
    return f"{figure} of {', '.join(rule.value)} {bounds}"
