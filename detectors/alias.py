"""Aliases as findings: two names of one thing, stated once per change (`docs/architecture.md`)."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, TypeAlias

from detectors.event import Alias, Entity, Event
from detectors.finding import Finding
from detectors.identifier import derive
from detectors.wording import MAX_SENTENCE, plain

RULE_ID: Final = "davylamp-alias"
_Name: TypeAlias = tuple[str, str]


class RecentAliases:
    """A bounded memory of aliases that were stated; forgetting only means to state one again.

    An address has one holder of each type at a time: when it goes from one pod to another and back,
    each change is news. Other names may have many partners (a service account and its pods).
    """

    def __init__(self, capacity: int = 50_000) -> None:
        self._capacity = max(1, capacity)
        self._stated: OrderedDict[tuple[_Name, _Name], None] = OrderedDict()
        self._holders: OrderedDict[tuple[_Name, str], _Name] = OrderedDict()

    def __len__(self) -> int:
        return len(self._stated)

    def holds(self, alias: Alias) -> bool:
        """Return whether `alias` is no news, without remembering that it was asked."""
        a, b = alias.a, alias.b
        if (a, b) not in self._stated:
            return False
        holders = self._holders
        if a[0] == "address" and holders.get((a, b[0])) != b:
            return False
        return b[0] != "address" or holders.get((b, a[0])) == a

    def is_news(self, alias: Alias) -> bool:
        """Return whether `alias` differs from what was stated last, and remember it."""
        pair = (alias.a, alias.b)
        unchanged = pair in self._stated
        for name, other in ((alias.a, alias.b), (alias.b, alias.a)):
            if name[0] == "address":
                held = (name, other[0])
                unchanged = unchanged and self._holders.get(held) == other
                self._holders[held] = other
                self._holders.move_to_end(held)
        self._stated[pair] = None
        self._stated.move_to_end(pair)
        while len(self._stated) > self._capacity:
            self._stated.popitem(last=False)
        while len(self._holders) > self._capacity:
            self._holders.popitem(last=False)
        return not unchanged


def findings(event: Event, recent: RecentAliases) -> list[Finding]:
    """Return an informational finding for each alias of `event` that is news to `recent`."""
    return [_finding(event, alias) for alias in event.profile.aliases_in(event) if recent.is_news(alias)]


def _finding(event: Event, alias: Alias) -> Finding:
    (a_type, a_id), (b_type, b_id) = alias.a, alias.b
    names = f"{a_type} {plain(a_id)} is {b_type} {plain(b_id)}"
    event_id = event.event_id
    return Finding(
        rule_id=RULE_ID,
        title="Two names of one thing",
        level="informational",
        base_level="informational",
        status="final",
        source=event.source,
        event_id=event_id,
        event_ids=(event_id,),
        event_time=alias.valid_from,
        first_time=alias.valid_from,
        last_time=alias.valid_from,
        count=1,
        entities=(Entity(a_type, a_id, "target"), Entity(b_type, b_id, "target")),
        attack=(),
        explain=plain(names, MAX_SENTENCE),
        finding_id=derive("alias", a_type, a_id, b_type, b_id, repr(alias.valid_from)),
        labels={"alias": "true", "a_type": a_type, "a_id": a_id, "b_type": b_type, "b_id": b_id},
    )
