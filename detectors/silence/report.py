"""Findings about a source itself, in words: silence, a drop, a shift of its fields, a clock that drifts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from detectors.event import Entity, SourceKind
from detectors.finding import Finding, rfc3339
from detectors.identifier import derive
from detectors.level import Level
from detectors.silence.clock import HOUR_S, SLOT_S
from detectors.silence.drift import Skew
from detectors.silence.floor import Judgement
from detectors.silence.schema import Shift
from detectors.wording import MAX_SENTENCE, listed, plain

SILENT: Final = "davylamp-source-silent"
DROP: Final = "davylamp-source-volume-drop"
SHIFT: Final = "davylamp-source-schema-shift"
SKEW: Final = "davylamp-source-clock-skew"
AUDIT: Final = frozenset({"cloudtrail", "kubernetes_audit", "vault_audit"})
"""Sources that record who did what: whoever acts against the platform gains by their silence."""
_VERSION: Final = "1"
_LABELS: Final[Mapping[str, str]] = MappingProxyType({"playbook": "log-tampering"})
_ATTACK: Final = ("T1685.002",)
_TITLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        SILENT: "A source fell silent",
        DROP: "A source sends far less than usual",
        SHIFT: "Fields of a source went missing",
        SKEW: "Times of a source do not fit the time of arrival",
    }
)


def silent_slots(topic: str, source: SourceKind, slot: int, slots: int, events: int, floor: int) -> Finding:
    """Return the finding about `slots` quiet spans of ten minutes; `slot` is the last of them."""
    minutes = slots * SLOT_S // 60
    text = (
        f"{topic}: {events} events in the {minutes} minutes up to {rfc3339((slot + 1) * SLOT_S)}; "
        f"ten minutes of the same hours never had fewer than about {floor}"
    )
    return _finding(SILENT, topic, source, (slot - slots + 1) * SLOT_S, (slot + 1) * SLOT_S, text)


def below_floor(topic: str, source: SourceKind, hour: int, judged: Judgement) -> Finding:
    """Return the finding about a window that ends with `hour`."""
    rule = SILENT if judged.kind == "silent" else DROP
    span = "1 hour" if judged.hours == 1 else f"{judged.hours} hours"
    text = (
        f"{topic}: {judged.events} events in the {span} up to {rfc3339((hour + 1) * HOUR_S)}; "
        f"nine in ten of the same hours of earlier weeks had at least {judged.floor}"
    )
    start = (hour - judged.hours + 1) * HOUR_S
    return _finding(rule, topic, source, start, (hour + 1) * HOUR_S, text)


def shifted(topic: str, source: SourceKind, hour: int, shifts: Sequence[Shift]) -> Finding:
    """Return the finding about fields that went missing together."""
    names = listed([f"{s.name} ({s.now:.0%}, never under {s.usual:.0%} before)" for s in shifts])
    text = f"{topic}: fields are missing from most events up to {rfc3339((hour + 1) * HOUR_S)}: {names}"
    return _finding(SHIFT, topic, source, hour * HOUR_S, (hour + 1) * HOUR_S, text)


def skewed(topic: str, source: SourceKind, hour: int, skew: Skew) -> Finding:
    """Return the finding about the median of append time minus event time."""
    side = "ahead of" if skew.delay < 0 else "behind"
    text = (
        f"{topic}: half of the events up to {rfc3339((hour + 1) * HOUR_S)} are {abs(skew.delay) / 60:.0f} "
        f"minutes or more {side} their arrival; usual are delays of "
        f"{skew.least / 60:.0f} to {skew.greatest / 60:.0f} minutes"
    )
    return _finding(SKEW, topic, source, hour * HOUR_S, (hour + 1) * HOUR_S, text)


def level_of(rule_id: str, source: SourceKind) -> Level:
    """Return how grave it is: silence of an audit source is high, the rest is medium or low."""
    audit = source in AUDIT
    if rule_id == SILENT:
        return "high" if audit else "medium"
    return "medium" if audit else "low"


def _finding(rule: str, topic: str, source: SourceKind, start: int, end: int, text: str) -> Finding:
    level = level_of(rule, source)
    event_id = f"{topic}/{rule.removeprefix('davylamp-source-')}/{end}"
    return Finding(
        rule_id=rule,
        title=_TITLES[rule],
        level=level,
        base_level=level,
        status="final",
        source=source,
        event_id=event_id,
        event_ids=(event_id,),
        event_time=float(end),
        first_time=float(start),
        last_time=float(end),
        count=1,
        entities=(Entity("host", f"kafka/{topic}", "source"),),
        attack=_ATTACK,
        explain=plain(text, MAX_SENTENCE),
        finding_id=derive("finding", rule, _VERSION, topic, str(end)),
        labels={**_LABELS, "topic": topic},
    )
