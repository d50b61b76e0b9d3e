"""The watch over one topic: a pure state machine that closes hours of append time in their order.

State: the history of eight weeks, the open episodes, the shape and the delay; see ``docs/silence.md``. An
hour is judged once, on the whole of it, so neither the order of arrival nor a replay changes what is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from detectors.event import Fields, SourceKind
from detectors.finding import Finding
from detectors.silence import floor, report
from detectors.silence.clock import SLOTS, WEEK
from detectors.silence.drift import Drift
from detectors.silence.episode import Episode
from detectors.silence.floor import floor_of, slot_silent
from detectors.silence.history import KEPT, UNKNOWN, History
from detectors.silence.schema import Shape
from detectors.silence.tally import Tally

QUIET_SLOTS: Final = 2
_NOTHING: Final = Tally()


@dataclass(slots=True)
class Watch:
    """The watch over `topic`. `slot` is the last span of ten minutes that was judged.

    `began` is the hour of the first event ever seen; that hour is known in part only.
    """

    topic: str
    source: SourceKind
    began: int
    slot: int
    history: History
    quiet: int = 0
    quiet_events: int = 0
    silent: Episode | None = None
    drop: Episode | None = None
    rested: int = 0
    shape: Shape = field(default_factory=Shape)
    drift: Drift = field(default_factory=Drift)

    @classmethod
    def begin(cls, topic: str, source: SourceKind, hour: int) -> Watch:
        """Begin with the hour of a first event."""
        return cls(topic, source, hour, hour * SLOTS - 1, History(hour, [], []))

    @property
    def is_new(self) -> bool:
        """Return whether nothing was judged yet."""
        return self.slot < self.began * SLOTS

    def advance(self, until: int, hours: Mapping[int, Tally], learning: int) -> list[Finding]:
        """Judge every slot up to and with `until`; `hours` holds what came, `learning` is in hours.

        After a gap that is longer than the memory everything begins anew.
        """
        findings: list[Finding] = []
        if until - self.slot > KEPT * SLOTS:
            self._begin_anew(until // SLOTS)
        for slot in range(self.slot + 1, until + 1):
            hour, place = divmod(slot, SLOTS)
            tally = hours.get(hour, _NOTHING)
            learnt = hour - self.began >= learning
            if learnt:
                self._judge_slot(slot, tally.slots[place], findings)
            if place == SLOTS - 1:
                self._close(hour, tally, learnt, learning, findings)
            self.slot = slot
        return findings

    def _judge_slot(self, slot: int, events: int, findings: list[Finding]) -> None:
        usual = slot_silent(self.history, slot // SLOTS, events)
        if usual is None:
            self.quiet = self.quiet_events = 0
            return
        self.quiet += 1
        self.quiet_events += events
        if self.quiet >= QUIET_SLOTS and self.silent is None:
            self.silent = Episode((slot - self.quiet + 1) // SLOTS)
            said = report.silent_slots(self.topic, self.source, slot, self.quiet, self.quiet_events, usual)
            findings.append(said)

    def _close(self, hour: int, tally: Tally, learnt: bool, learning: int, findings: list[Finding]) -> None:
        partial = hour == self.began
        self.history.append(UNKNOWN if partial else tally.events, UNKNOWN if partial else min(tally.slots))
        if learnt:
            self._judge_silence(hour, findings)
            self._judge_drop(hour, findings)
        skew = self.drift.take(hour, tally, learning)
        if skew is not None:
            findings.append(report.skewed(self.topic, self.source, hour, skew))
        if tally.sampled and self.silent is None and not partial:
            usual = floor_of(self.history.usual(hour, 1))
            shifts = self.shape.take(hour, tally.sampled, tally.fields, tally.events, usual, learning)
            if shifts:
                findings.append(report.shifted(self.topic, self.source, hour, shifts))

    def _judge_silence(self, hour: int, findings: list[Finding]) -> None:
        judged = floor.silent(self.history, hour)
        if judged is not None and judged.kind and self.silent is None:
            self.silent = Episode(hour - judged.hours + 1)
            findings.append(report.below_floor(self.topic, self.source, hour, judged))
        if self.silent is None:
            return
        over = judged is not None and judged.is_back and not self.quiet
        self.silent = self._go_on(self.silent, hour, over)
        self.rested = hour + 1

    def _judge_drop(self, hour: int, findings: list[Finding]) -> None:
        judged = floor.dropped(self.history, hour)
        if self.silent is not None or (judged is not None and hour - judged.hours + 1 < self.rested):
            return
        if judged is not None and judged.kind and self.drop is None:
            self.drop = Episode(hour - judged.hours + 1)
            findings.append(report.below_floor(self.topic, self.source, hour, judged))
        if self.drop is not None:
            self.drop = self._go_on(self.drop, hour, judged is not None and judged.is_back)

    def _go_on(self, episode: Episode, hour: int, over: bool) -> Episode | None:
        """Keep an open episode from teaching; after a week it is the new usual, except where nothing came."""
        if over:
            return None
        if episode.lasted(hour) < WEEK:
            self.history.set_apart(episode.start, hour + 1)
            return episode
        self.history.take_back(episode.start, hour + 1)
        self.rested, self.quiet, self.quiet_events = hour + 1, 0, 0
        return None

    def _begin_anew(self, hour: int) -> None:
        fresh = Watch.begin(self.topic, self.source, hour)
        self.began, self.slot, self.history = fresh.began, fresh.slot, fresh.history
        self.silent = self.drop = None
        self.quiet = self.quiet_events = self.rested = 0
        self.shape, self.drift = fresh.shape, fresh.drift

    def to_json(self) -> Fields:
        """Return the state as JSON."""
        return {
            "topic": self.topic,
            "source": self.source,
            "began": self.began,
            "slot": self.slot,
            "history": self.history.to_json(),
            "quiet": [self.quiet, self.quiet_events],
            "open": [None if e is None else e.start for e in (self.silent, self.drop)],
            "rested": self.rested,
            "shape": self.shape.to_json(),
            "drift": self.drift.to_json(),
        }

    @classmethod
    def from_json(cls, document: Fields) -> Watch:
        """Read back what `to_json` gave."""
        quiet, quiet_events = cast("list[int]", document["quiet"])
        starts = cast("list[int | None]", document["open"])
        silent, drop = (None if start is None else Episode(start) for start in starts)
        return cls(
            topic=cast(str, document["topic"]),
            source=cast(str, document["source"]),
            began=cast(int, document["began"]),
            slot=cast(int, document["slot"]),
            history=History.from_json(cast(Fields, document["history"])),
            quiet=quiet,
            quiet_events=quiet_events,
            silent=silent,
            drop=drop,
            rested=cast(int, document["rested"]),
            shape=Shape.from_json(cast(Fields, document["shape"])),
            drift=Drift.from_json(cast(Fields, document["drift"])),
        )
