"""What became of one technique or look-alike, and of all of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final, Literal

from detectors.level import Level, rank

SCHEMA: Final = "davylamp.lab-score/1"


@dataclass
class Verdict:
    """One technique, or look-alike (`expected` is None).

    `rules`: title of each rule that fired -> the highest level of its alerts. `delay_s`: from the first
    record of the technique to the event of the first alert, in seconds of event time; `wall_s`: from sending
    that record to the finding on its topic, in seconds of the wall clock, where that was measured.
    """

    id: str
    title: str
    source: str
    attack: tuple[str, ...] = ()
    expected: Level | None = None
    needs: tuple[str, ...] = ()
    rules: dict[str, Level] = field(default_factory=dict[str, Level])
    delay_s: float | None = None
    wall_s: float | None = None

    @property
    def level(self) -> Level | None:
        """The highest level of an alert; None when there is no alert."""
        return max(self.rules.values(), key=rank, default=None)

    @property
    def weaker(self) -> bool:
        """Whether it was found, at a lower level than an analyst would expect."""
        level = self.level
        return level is not None and self.expected is not None and rank(level) < rank(self.expected)

    def take(self, title: str, level: Level, delay_s: float, wall_s: float | None) -> None:
        """Note one alert."""
        if title not in self.rules or rank(level) > rank(self.rules[title]):
            self.rules[title] = level
        self.delay_s = delay_s if self.delay_s is None else min(self.delay_s, delay_s)
        if wall_s is not None:
            self.wall_s = wall_s if self.wall_s is None else min(self.wall_s, wall_s)

    def to_json(self) -> dict[str, Any]:
        """Return it as one JSON object."""
        document: dict[str, Any] = {"id": self.id, "title": self.title, "source": self.source}
        if self.expected is not None:
            document |= {"attack": list(self.attack), "expected": self.expected, "needs": list(self.needs)}
        document |= {"found": bool(self.rules), "level": self.level, "rules": self.rules}
        return document | {"delay_s": self.delay_s, "wall_s": self.wall_s}


@dataclass
class Score:
    """All verdicts, and what was raised where nothing was. `ordinary` counts the records of background."""

    techniques: list[Verdict]
    look_alikes: list[Verdict]
    ordinary: int
    false: Counter[str] = field(default_factory=Counter[str])
    """Level -> alerts that hold no record of a technique or look-alike."""
    false_rules: Counter[str] = field(default_factory=Counter[str])

    @property
    def missed(self) -> list[Verdict]:
        """The techniques without an alert."""
        return [one for one in self.techniques if not one.rules]

    @property
    def weaker(self) -> list[Verdict]:
        """The techniques whose alerts are all below the level that an analyst would expect."""
        return [one for one in self.techniques if one.weaker]

    @property
    def hit(self) -> list[Verdict]:
        """The look-alikes that were taken for an attack."""
        return [one for one in self.look_alikes if one.rules]

    def times_s(self, name: Literal["delay_s", "wall_s"]) -> tuple[float, float] | None:
        """Return the median and the longest time over what was found, None where there is none."""
        values = [value for one in self.techniques if (value := getattr(one, name)) is not None]
        return (round(median(values), 3), max(values)) if values else None

    def to_json(self) -> dict[str, Any]:
        """Return it as one JSON document."""
        return {
            "schema": SCHEMA,
            "techniques_found": len(self.techniques) - len(self.missed),
            "techniques_missed": [one.id for one in self.missed],
            "weaker_than_expected": [one.id for one in self.weaker],
            "look_alikes_hit": [one.id for one in self.hit],
            "ordinary_records": self.ordinary,
            "false_alerts": dict(self.false),
            "false_alert_rules": dict(self.false_rules),
            "delay_s": _named(self.times_s("delay_s")),
            "wall_s": _named(self.times_s("wall_s")),
            "techniques": [one.to_json() for one in self.techniques],
            "look_alikes": [one.to_json() for one in self.look_alikes],
        }


def _named(times: tuple[float, float] | None) -> dict[str, float] | None:
    return {"median": times[0], "longest": times[1]} if times else None
