"""Which exception a finding falls under: asked of findings only, never of events.

What an exception may never do, whatever its file says: speak of a critical finding by a pattern or for all
rules; hide somebody else's events in a correlation that its own entity is part of; reach what Davylamp says
about its own senses.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from detectors.exception.entry import PRINCIPALS, Exemption
from detectors.finding import Finding

OWN: Final = "davylamp-"
MOST_ENTITIES: Final = 32
"""A finding with so many entities may have lost some: who else took part cannot be known."""


class Exemptions:
    """The exceptions in force, by rule. Pure: the times of the events alone decide what has expired."""

    def __init__(self, entries: Iterable[Exemption] = ()) -> None:
        self.entries = tuple(entries)
        self._all: list[Exemption] = []
        self._named: dict[str, list[Exemption]] = defaultdict(list)
        for entry in self.entries:
            if entry.rules is None:
                self._all.append(entry)
            else:
                for rule_id in entry.rules:
                    self._named[rule_id].append(entry)

    def of(self, finding: Finding) -> Exemption | None:
        """Return the first exception, in the order of the file, that the finding falls under."""
        named = self._named.get(finding.rule_id)
        if named is None and not self._all:
            return None
        if "overflow" in finding.labels or len(finding.entities) >= MOST_ENTITIES:
            return None
        for entry in named or ():
            if _holds(entry, finding):
                return entry
        if finding.rule_id.startswith(OWN):
            return None
        return next((entry for entry in self._all if _holds(entry, finding)), None)


def _holds(entry: Exemption, finding: Finding) -> bool:
    if not (entry.start <= finding.first_time and finding.last_time < entry.end):
        return False
    critical = "critical" in (finding.level, finding.base_level)
    if critical and not entry.precise:
        return False
    entities = finding.entities
    if not all(matcher.covers(entities) for matcher in entry.matchers):
        return False
    return finding.count == 1 or not _strangers(entry, finding)


def _strangers(entry: Exemption, finding: Finding) -> bool:
    """Return whether a finding of several events has an actor of a kind that the exception does not name.

    Only asked of exceptions that name a principal: an address or a namespace says nothing about who.
    """
    named = {matcher.type for matcher in entry.matchers} & PRINCIPALS
    if not named:
        return False
    acting = {one.type for one in finding.entities if one.role == "actor" and one.type in PRINCIPALS}
    return bool(acting - named)
