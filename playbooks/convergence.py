"""Whether all consumers of a credential have moved to the new one: what was seen in one look after the other.

All have moved when every known consumer was seen with the new credential since it was given out, at as many
places as it was known at, and nobody was seen with the old one for a whole window. A gap between two looks
longer than the window (and 30 s) begins it again: what nobody looked at is not known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from config.consumers import MAX_CONSUMERS, ConsumerEntry
from detectors.event import Fields
from playbooks.consumers import Sighting, named

MIN_GAP_S: Final = 30.0
OVERFULL: Final = "more consumers than can be watched"
_MAX_PLACES: Final = 64
_SHOWN: Final = 8


@dataclass(slots=True)
class Consumer:
    """One consumer. `places` is how many it was known at; `old` where it has the old one now, or empty."""

    expected: bool = True
    known_by: tuple[str, ...] = ()
    places: int = 0
    old: str = ""
    new_at: float | None = None
    new_places: tuple[str, ...] = ()

    @property
    def missing(self) -> str:
        """Why it does not count as moved, or empty."""
        if self.old:
            return f"on the old one ({self.old})"
        if not self.expected:
            return ""
        if self.new_at is None:
            return "not seen with the new one"
        if len(self.new_places) < self.places:
            return f"seen with the new one at {len(self.new_places)} of {self.places} places"
        return ""


def _nobody() -> dict[str, Consumer]:
    return {}


@dataclass(slots=True)
class Convergence:
    """What is known after `looks` looks; times are seconds, UTC. `clear_since`: since when nobody was seen
    on the old credential.
    """

    consumers: dict[str, Consumer] = field(default_factory=_nobody)
    looks: int = 0
    looked_at: float | None = None
    clear_since: float | None = None
    overfull: bool = False

    def learn(self, sightings: Sequence[Sighting], entries: Sequence[ConsumerEntry]) -> None:
        """Know the inventory's consumers and those who are seen with the old credential."""
        for entry in entries:
            known = self._known(entry.name, "inventory")
            if known is not None:
                known.expected = entry.expected
        places: dict[str, set[str]] = {}
        for seen in sightings:
            if seen.side != "old":
                continue
            name = named(seen, entries)
            known = self._known(name, seen.how)
            if known is not None and seen.how == "session":
                places.setdefault(name, set()).add(seen.place)
        for name, found in places.items():
            known = self.consumers[name]
            known.places = max(known.places, min(len(found), _MAX_PLACES))

    def look(
        self,
        sightings: Sequence[Sighting],
        entries: Sequence[ConsumerEntry],
        *,
        since: float,
        now: float,
        window_s: float,
    ) -> None:
        """Take what was seen now. `since` is when the new credential was given out: who read the old one
        before is a consumer, who reads it within the window stands on it.
        """
        self.learn(sightings, entries)
        for consumer in self.consumers.values():
            consumer.old = ""
        anybody = False
        for seen in sightings:
            if seen.how == "read" and (seen.at < since or (seen.side == "old" and seen.at < now - window_s)):
                continue
            anybody |= seen.side == "old"
            known = self.consumers.get(named(seen, entries))
            if known is None:
                continue
            if seen.side == "old":
                known.old = known.old or seen.told()
            else:
                known.new_at = max(known.new_at or seen.at, seen.at)
                if seen.how == "session":
                    known.new_places = tuple(sorted({*known.new_places, seen.place}))[:_MAX_PLACES]
        gap = self.looked_at is None or now - self.looked_at > max(window_s, MIN_GAP_S)
        self.clear_since = None if anybody else now if gap or self.clear_since is None else self.clear_since
        self.looks += 1
        self.looked_at = now

    @property
    def left(self) -> Mapping[str, str]:
        """Consumer -> why it has not moved; who is on the old one comes first, then by name."""
        late = [(name, one.missing) for name, one in self.consumers.items() if one.missing]
        late.sort(key=lambda item: (not self.consumers[item[0]].old, item[0]))
        return dict(late) | ({OVERFULL: f"over {MAX_CONSUMERS}"} if self.overfull else {})

    @property
    def on_old(self) -> tuple[str, ...]:
        """Who is on the old credential now, by name."""
        return tuple(sorted(name for name, one in self.consumers.items() if one.old))

    @property
    def moved(self) -> int:
        """How many consumers were seen with the new credential and are not on the old one."""
        return sum(one.new_at is not None and not one.missing for one in self.consumers.values())

    def clear_s(self, now: float) -> float:
        """Return for how long nobody was seen on the old credential."""
        return 0.0 if self.clear_since is None else now - self.clear_since

    def to_json(self) -> Fields:
        """Return what is kept in SQL between two looks, and shown on the page."""
        return {
            "looks": self.looks,
            "looked_at": self.looked_at,
            "clear_since": self.clear_since,
            "overfull": self.overfull,
            "consumers": {
                name: {
                    "expected": one.expected,
                    "known_by": list(one.known_by),
                    "places": one.places,
                    "old": one.old,
                    "new_at": one.new_at,
                    "new_places": list(one.new_places),
                }
                for name, one in sorted(self.consumers.items())
            },
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Convergence:
        """Read what `to_json` wrote."""
        found = cast("Mapping[str, Mapping[str, Any]]", kept.get("consumers") or {})
        return cls(
            consumers={
                name: Consumer(
                    expected=bool(one["expected"]),
                    known_by=tuple(one["known_by"]),
                    places=int(one["places"]),
                    old=str(one["old"]),
                    new_at=one["new_at"],
                    new_places=tuple(one["new_places"]),
                )
                for name, one in found.items()
            },
            looks=int(kept.get("looks") or 0),
            looked_at=kept.get("looked_at"),
            clear_since=kept.get("clear_since"),
            overfull=bool(kept.get("overfull")),
        )

    def _known(self, name: str, by: str) -> Consumer | None:
        known = self.consumers.get(name)
        if known is None:
            if len(self.consumers) >= MAX_CONSUMERS:
                self.overfull = True
                return None
            known = self.consumers[name] = Consumer()
        if by not in known.known_by:
            known.known_by = (*known.known_by, by)
        return known


def few(left: Mapping[str, str]) -> str:
    """Return the first eight with their reasons, and how many more there are."""
    named_ones = [f"{name}: {why}" for name, why in list(left.items())[:_SHOWN]]
    more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
    return "; ".join(named_ones) + more
