"""Findings of a replay against those that are stored: unchanged, new, gone, changed, or at the edge.

The same finding: the same id, which is the rule, its major version and the events. *Changed*: the same rule
and the same first or completing event, but another level, other events or another version of the rule.
*At the edge*: it stands on one side only, and what its rule looks at leaves the period: nobody can know.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from daemon.replaying import OWN, TooMuchError
from detectors.event import Fields
from detectors.finding import Finding, rfc3339
from detectors.identifier import digest16
from detectors.level import Level
from detectors.wording import MAX_SENTENCE, plain

Verdict: TypeAlias = Literal["unchanged", "new", "gone", "changed", "at the edge"]
VERDICTS: Final[tuple[Verdict, ...]] = get_args(Verdict)
MAX_STORED: Final = 200_000
"""Stored findings of the period that are held: what is held in memory has a bound."""
MAX_NEW: Final = 200_000
"""New findings whose ids are remembered; of further ones a repeated one counts again."""


@dataclass(frozen=True, slots=True)
class Brief:
    """What a finding is compared by and told by; times in seconds (UTC), `events` a hash of all ids."""

    finding_id: str
    rule_id: str
    title: str
    level: Level
    count: int
    first_event: str
    event_id: str
    events: str
    event_time: float
    first_time: float
    last_time: float
    explain: str

    @classmethod
    def of(cls, finding: Finding) -> Brief:
        """Return what is kept of a finding."""
        return cls(
            finding.finding_id,
            finding.rule_id,
            plain(finding.title),
            finding.level,
            finding.count,
            finding.event_ids[0] if finding.event_ids else finding.event_id,
            finding.event_id,
            digest16(*sorted(finding.event_ids)),
            finding.event_time,
            finding.first_time,
            finding.last_time,
            plain(finding.explain, MAX_SENTENCE),
        )

    def to_json(self) -> Fields:
        """Return what is told of it."""
        return {
            "finding_id": self.finding_id,
            "rule_id": self.rule_id,
            "title": self.title,
            "level": self.level,
            "count": self.count,
            "event_id": self.event_id,
            "event_time": rfc3339(self.event_time),
            "first_time": rfc3339(self.first_time),
            "last_time": rfc3339(self.last_time),
            "explain": self.explain,
        }


class Difference(NamedTuple):
    """One finding that is not unchanged. `stored` is None for a new one, `replayed` for one that is gone."""

    verdict: Verdict
    stored: Brief | None
    replayed: Brief | None

    @property
    def brief(self) -> Brief:
        """What it is told by: the replay's side where there is one."""
        found = self.replayed or self.stored
        assert found is not None
        return found

    @property
    def differs(self) -> tuple[str, ...]:
        """What is other on the two sides, for people; empty when there is only one side."""
        old, new = self.stored, self.replayed
        if old is None or new is None:
            return ()
        found: list[str] = []
        if old.level != new.level:
            found.append(f"level {new.level}, was {old.level}")
        if old.events != new.events:
            found.append(f"{new.count} events, was {old.count}" if new.count != old.count else "other events")
        if not found and old.finding_id != new.finding_id:
            found.append("another version of the rule")
        return tuple(found)

    def to_json(self) -> Fields:
        """Return the object of `davylamp.replay/1`, `differences`."""
        told: Fields = {"verdict": self.verdict, "finding": self.brief.to_json()}
        if self.stored is not None and self.replayed is not None:
            told["stored"] = self.stored.to_json()
            told["differs"] = list(self.differs)
        return told


@dataclass(frozen=True, slots=True)
class Edges:
    """The times between which both sides know everything, in seconds (UTC), and how far rules look."""

    start: float
    end: float
    reaches: Mapping[str, float]

    def cross(self, brief: Brief) -> bool:
        """Whether what the finding's rule looks at leaves the times."""
        reach = self.reaches.get(brief.rule_id, 0.0)
        return brief.first_time - reach < self.start or brief.last_time + reach >= self.end


@dataclass(slots=True)
class Comparison:
    """Takes the stored findings first, then those of the replay, then tells the rest.

    `most` stored findings are held at once, and `most_new` ids of new ones.
    """

    edges: Edges
    most: int = MAX_STORED
    most_new: int = MAX_NEW
    left_out: Counter[str] = field(default_factory=Counter[str])
    counts: Counter[tuple[str, Verdict]] = field(default_factory=Counter[tuple[str, Verdict]])
    titles: dict[str, str] = field(default_factory=dict[str, str])
    _stored: dict[str, Brief] = field(default_factory=dict[str, Brief])
    _anchors: dict[tuple[str, str], list[str]] = field(
        default_factory=lambda: defaultdict[tuple[str, str], list[str]](list)
    )
    _met: set[str] = field(default_factory=set[str])
    _new: set[str] = field(default_factory=set[str])
    _pending: dict[str, Brief] = field(default_factory=dict[str, Brief])

    def store(self, finding: Finding, crossing: Mapping[str, str]) -> None:
        """Keep a stored finding; provisional ones and what is not replayed are counted in `left_out`.

        `crossing`: correlations over several sources. The same finding twice is one. Raises TooMuchError.
        """
        if finding.status != "final":
            self.left_out["provisional"] += 1
        elif finding.rule_id.startswith(OWN) or finding.rule_id in crossing:
            self.left_out[plain(finding.rule_id)] += 1
        elif finding.finding_id not in self._stored:
            if len(self._stored) >= self.most:
                raise TooMuchError(f"over {self.most:,} stored findings: take a shorter period")
            brief = self._stored[finding.finding_id] = Brief.of(finding)
            for event in {brief.first_event, brief.event_id}:
                self._anchors[brief.rule_id, event].append(brief.finding_id)

    def meet(self, finding: Finding) -> Difference | None:
        """Take a finding of the replay; return what can be told of it at once."""
        if any(finding.finding_id in known for known in (self._met, self._new, self._pending)):
            return None
        brief = Brief.of(finding)
        known = self._stored.get(brief.finding_id)
        if known is None:
            if any((brief.rule_id, event) in self._anchors for event in (brief.first_event, brief.event_id)):
                self._pending[brief.finding_id] = brief
                return None
            if len(self._new) < self.most_new:
                self._new.add(brief.finding_id)
            return self._told(self._one_sided("new", None, brief))
        self._met.add(brief.finding_id)
        return self._told(Difference("unchanged" if known.level == brief.level else "changed", known, brief))

    def rest(self) -> Iterator[Difference]:
        """Yield what is known when the replay is over."""
        unmet = {key: brief for key, brief in self._stored.items() if key not in self._met}
        for brief in self._pending.values():
            known = self._other(brief, unmet)
            found = (
                self._one_sided("new", None, brief) if known is None else Difference("changed", known, brief)
            )
            if told := self._told(found):
                yield told
        for brief in unmet.values():
            if told := self._told(self._one_sided("gone", brief, None)):
                yield told

    def total(self, verdict: Verdict) -> int:
        """Return how many findings of a verdict there are."""
        return sum(number for (_, one), number in self.counts.items() if one == verdict)

    def _other(self, brief: Brief, unmet: dict[str, Brief]) -> Brief | None:
        """Take the stored finding out of `unmet` that is this one in another shape."""
        for event in (brief.first_event, brief.event_id):
            for finding_id in self._anchors.get((brief.rule_id, event), ()):
                if finding_id in unmet:
                    return unmet.pop(finding_id)
        return None

    def _one_sided(self, verdict: Verdict, stored: Brief | None, replayed: Brief | None) -> Difference:
        found = Difference(verdict, stored, replayed)
        return found._replace(verdict="at the edge") if self.edges.cross(found.brief) else found

    def _told(self, found: Difference) -> Difference | None:
        brief = found.brief
        self.titles.setdefault(brief.rule_id, brief.title)
        self.counts[brief.rule_id, found.verdict] += 1
        return None if found.verdict == "unchanged" else found
