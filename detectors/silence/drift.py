"""The delay of a source: append time minus event time, what is usual of it, and when a clock drifts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, cast

from detectors.event import Fields
from detectors.silence.clock import DAY, WEEK
from detectors.silence.episode import Episode
from detectors.silence.spread import Spread
from detectors.silence.tally import Tally

SKEW_S: Final = 300.0
FEWEST_SAMPLED: Final = 20


@dataclass(frozen=True, slots=True)
class Skew:
    """A median delay in seconds outside of what is usual; below 0 the events are ahead of their arrival."""

    delay: float
    least: float
    greatest: float


@dataclass(slots=True)
class Drift:
    """What is usual, and the delays gathered since it was judged last: at most those of a day."""

    usual: Spread = field(default_factory=Spread)
    episode: Episode | None = None
    hours: int = 0
    gathered: Tally = field(default_factory=Tally)

    def take(self, hour: int, tally: Tally, learning: int) -> Skew | None:
        """Take in an hour; return the skew that it begins, if it does."""
        self.hours += 1
        self.gathered.add(Tally(sampled=tally.sampled, delays=tally.delays))
        delay = self.gathered.median_delay()
        if delay is None or self.gathered.sampled < FEWEST_SAMPLED:
            if self.hours >= DAY:
                self._begin_anew()
            return None
        self._begin_anew()
        return self._judged(hour, delay, learning)

    def _judged(self, hour: int, delay: float, learning: int) -> Skew | None:
        """An event from after its arrival needs no learning; how late is usual does."""
        usual = self.usual
        learnt = usual.is_learnt(hour, learning)
        ahead = delay < -SKEW_S or (learnt and delay < 0 and delay < usual.least - SKEW_S)
        behind = learnt and delay > usual.greatest + SKEW_S
        if not ahead and not behind:
            self.episode = None
            usual.take(hour, delay)
        elif self.episode is None:
            self.episode = Episode(hour)
            return Skew(delay, usual.least, usual.greatest)
        elif self.episode.lasted(hour) >= WEEK:
            self.episode = None
            usual.take(hour, max(delay, -SKEW_S))
        return None

    def _begin_anew(self) -> None:
        self.hours, self.gathered = 0, Tally()

    def to_json(self) -> Fields:
        """Return it as JSON."""
        return {
            "usual": self.usual.to_json(),
            "start": None if self.episode is None else self.episode.start,
            "hours": self.hours,
            "gathered": self.gathered.to_json(),
        }

    @classmethod
    def from_json(cls, document: Fields) -> Drift:
        """Read back what `to_json` gave."""
        start = cast("int | None", document["start"])
        return cls(
            Spread.from_json(document["usual"]),
            None if start is None else Episode(start),
            cast(int, document["hours"]),
            Tally.from_json(cast(Fields, document["gathered"])),
        )
