"""Matches of all groups in memory, gathered until no more come, then judged, through chains too.

What is not looked at for long is packed: a group of one match costs some 300 bytes. Over the cap the groups
whose last event is the oldest are dropped, counted by correlation.
"""

from __future__ import annotations

import marshal
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from heapq import nsmallest
from struct import Struct
from typing import Any, Final, TypeAlias, TypeVar, cast

from detectors.event import Entity, EntityRole, EntityType
from detectors.finding import Finding
from detectors.level import Level
from detectors.sigma.chaining import matches_of
from detectors.sigma.correlation import Closed, Correlator
from detectors.sigma.match import Match, Values
from detectors.sigma.rule import CorrelationRule
from detectors.sigma.window import Window

MAX_GROUPS: Final = 1_000_000
MAX_LOOSE: Final = 50_000
CHUNK: Final = 500
Key: TypeAlias = "str | Values | None"
Blob: TypeAlias = bytes
T = TypeVar("T")
_HEAD: Final = Struct("<dI")
"""Before the packed rows: the latest time, and how many they are."""
_INFINITY: Final = float("inf")


class Numbers(dict[T, int]):
    """Numbers things in the order in which they are first asked for."""

    def __missing__(self, key: T) -> int:
        """Return the next number."""
        number = self[key] = len(self)
        return number


class Groups:
    """Gathers matches; `most` groups are kept, and `loose` matches before they are packed.

    `dropped` counts groups that were dropped over the cap, `overflow` matches that a full window turned away;
    both by correlation id.
    """

    def __init__(self, most: int = MAX_GROUPS, loose: int = MAX_LOOSE) -> None:
        self.dropped: Counter[str] = Counter()
        self.overflow: Counter[str] = Counter()
        self._most = most
        self._most_loose = loose
        self._count = 0
        self._loose = 0
        self._fresh: list[tuple[str, Key]] = []
        self._groups: dict[str, dict[Key, list[Match | Blob] | Blob]] = defaultdict(dict)
        self._kinds: Numbers[tuple[str, str, Level]] = Numbers()
        self._roles: Numbers[tuple[EntityType, EntityRole]] = Numbers()

    def __len__(self) -> int:
        return self._count

    def take(self, matches: Iterable[Match]) -> None:
        """Keep matches, in any order."""
        fresh = self._fresh.append
        count = new = 0
        correlation = ""
        known: dict[Key, list[Match | Blob] | Blob] = {}
        for match in matches:
            count += 1
            if match.correlation is not correlation:
                correlation = match.correlation
                known = self._groups[correlation]
            group = match.group
            key = group[0] if len(group) == 1 else group
            kept = known.get(key)
            if isinstance(kept, list):
                if isinstance(kept[-1], bytes):
                    fresh((correlation, key))
                kept.append(match)
                continue
            if kept is None:
                known[key] = [match]
                new += 1
            else:
                known[key] = [kept, match]
            fresh((correlation, key))
        self._count += new
        self._loose += count
        if self._loose > self._most_loose:
            self._pack_all()
        if self._count > self._most:
            self._drop()

    def add(self, later: Groups) -> None:
        """Take in what was gathered elsewhere."""
        for correlation, known in later._groups.items():
            for key, kept in known.items():
                self.take(later._matches(correlation, key, kept))
        self.dropped.update(later.dropped)

    def finals(self, correlations: Sequence[CorrelationRule]) -> Iterator[Finding]:
        """Yield the final findings of all groups; of quiet correlations none. Empties the groups.

        `correlations` stand in the order of `RuleSet`: those first that others refer to.
        """
        outer: dict[str, list[CorrelationRule]] = defaultdict(list)
        for rule in correlations:
            for below in dict.fromkeys(rule.rules):
                outer[below].append(rule)
        for rule in correlations:
            known = self._groups.pop(rule.id, {})
            self._count -= len(known)
            correlator = Correlator(rule)
            for key in self._possible(correlator, known):
                matches = self._matches(rule.id, key, known.pop(key))
                group = matches[0].group
                for closed in self._judged(correlator, matches):
                    if not rule.quiet:
                        yield closed.finding
                    for above in outer[rule.id]:
                        self.take(matches_of(above, rule, group, closed.finding, closed.events))

    @staticmethod
    def _possible(correlator: Correlator, known: dict[Key, list[Match | Blob] | Blob]) -> list[Key]:
        """Drop groups that surely make no finding; return the keys of the others, sorted."""
        least = correlator.least
        for key in [key for key, kept in known.items() if _fewer(kept, least) or _refuted(correlator, kept)]:
            del known[key]
        return sorted(known, key=_sortable)

    def _judged(self, correlator: Correlator, matches: list[Match]) -> Iterator[Closed]:
        window = Window()
        matches.sort(key=_in_time)
        for start in range(0, len(matches), CHUNK):
            end = start + CHUNK
            watermark = matches[end].time if end < len(matches) else _INFINITY
            step = correlator.step(window, matches[start:end], watermark)
            if step.overflow:
                self.overflow[correlator.rule.id] += step.overflow
            yield from step.finals

    def _pack_all(self) -> None:
        for correlation, key in self._fresh:
            known = self._groups.get(correlation, {})
            kept = known.get(key)
            if isinstance(kept, list):
                blobs: list[Match | Blob] = [item for item in kept if isinstance(item, bytes)]
                loose = [item for item in kept if not isinstance(item, bytes)]
                if loose:
                    blobs.append(self._packed(loose))
                only = blobs[0]
                known[key] = only if len(blobs) == 1 and isinstance(only, bytes) else blobs
        self._fresh.clear()
        self._loose = 0

    def _drop(self) -> None:
        """Drop the groups whose last event is the oldest, down to nine tenths of the cap."""
        all_groups = (
            (_latest(kept), name, key) for name, known in self._groups.items() for key, kept in known.items()
        )
        too_many = self._count - self._most * 9 // 10
        for _, name, key in nsmallest(too_many, all_groups, key=_first):
            del self._groups[name][key]
            self.dropped[name] += 1
            self._count -= 1

    def _packed(self, matches: Sequence[Match]) -> Blob:
        kinds, roles = self._kinds, self._roles
        rows: list[tuple[object, ...]] = []
        for match in matches:
            entities: list[int | str] = []
            for kind, name, role in match.entities:
                entities += (roles[kind, role], name)
            number = kinds[match.rule, match.source, match.level]
            row = (match.time, number, match.event_id, match.summary, entities)
            rows.append((*row, *match[9:]) if _has_more(match) else row)
        return _HEAD.pack(max(match.time for match in matches), len(rows)) + marshal.dumps(rows)

    def _matches(self, correlation: str, key: Key, kept: list[Match | Blob] | Blob) -> list[Match]:
        parts = kept if isinstance(kept, list) else [kept]
        group = key if isinstance(key, tuple) else (key,)
        kinds = [*self._kinds]
        roles = [*self._roles]
        found: list[Match] = []
        for part in parts:
            if not isinstance(part, bytes):
                found.append(part)
                continue
            for time, number, event_id, summary, entities, *more in _rows(part):
                rule, source, level = kinds[cast(int, number)]
                pairs = zip(entities[::2], entities[1::2], strict=True)
                known = tuple([Entity(roles[code][0], name, roles[code][1]) for code, name in pairs])
                found.append(
                    Match(correlation, rule, group, event_id, time, source, level, known, summary, *more)
                )
        return found


def _rows(blob: Blob) -> list[Any]:
    # Only what `Groups` packed in this process, or in a sister of it, is read.
    return cast("list[Any]", marshal.loads(memoryview(blob)[_HEAD.size :]))  # noqa: S302


def _fewer(kept: list[Match | Blob] | Blob, least: int) -> bool:
    """Return whether a group surely has fewer than so many matches, without reading packed ones."""
    if isinstance(kept, bytes):
        return _HEAD.unpack_from(kept)[1] < least
    if isinstance(kept[0], bytes):
        return sum(_HEAD.unpack_from(part)[1] if isinstance(part, bytes) else 1 for part in kept) < least
    return len(kept) < least


def _refuted(correlator: Correlator, kept: list[Match | Blob] | Blob) -> bool:
    """Return whether a group surely makes no finding, which packed rows show without being matches again."""
    times: list[float] = []
    values: list[str | float | None] = []
    for part in kept if isinstance(kept, list) else (kept,):
        if isinstance(part, bytes):
            rows = _rows(part)
            times += [row[0] for row in rows]
            values += [row[5] if len(row) > 5 else None for row in rows]
        else:
            times.append(part.time)
            values.append(part.value)
    return correlator.refutes(times, values)


def _has_more(match: Match) -> bool:
    return match.value is not None or bool(match.carried) or bool(match.events)


def _latest(kept: list[Match | Blob] | Blob) -> float:
    if isinstance(kept, bytes):
        return cast(float, _HEAD.unpack_from(kept)[0])
    return max(_latest(item) if isinstance(item, bytes) else item.time for item in kept)


def _in_time(match: Match) -> tuple[float, str]:
    return match.time, match.event_id


def _first(item: tuple[float, str, Key]) -> float:
    return item[0]


def _sortable(key: Key) -> tuple[tuple[bool, str], ...]:
    values = key if isinstance(key, tuple) else (key,)
    return tuple((value is not None, value or "") for value in values)
