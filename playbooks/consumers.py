"""Who uses a credential: one sighting of a consumer, and whom the inventory says it is.

Application names are written by whoever holds the credential: they name somebody on a page and prove nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import ip_address
from typing import Final, Literal, TypeAlias

from config.consumers import ConsumerEntry

Side: TypeAlias = Literal["old", "new"]
How: TypeAlias = Literal["session", "read", "mount"]
MAX_NAME: Final = 100
_UNPRINTABLE: Final = re.compile(r"[^ -~]")


def shown(text: str) -> str:
    """Return what a stranger wrote as a name for pages: printable ASCII, at most 100 characters."""
    return _UNPRINTABLE.sub("?", text)[:MAX_NAME].strip()


@dataclass(frozen=True, slots=True)
class Sighting:
    """Somebody was seen with the old or the new credential at `at` (seconds, UTC).

    `session`: an open session of the database; `read`: the vault gave it out; `mount`: a pod has it.
    `name` and `place` are printable and bounded (`shown`); the rest is what an inventory recognises by.
    """

    how: How
    side: Side
    at: float
    name: str
    place: str = ""
    application: str = ""
    address: str = ""
    workload: str = ""
    entity: str = ""
    account: str = ""

    def told(self) -> str:
        """Return how and where, for people."""
        return f"{self.how} at {self.place}" if self.place else self.how


def named(sighting: Sighting, entries: Sequence[ConsumerEntry]) -> str:
    """Return what the inventory calls the one seen, or its own name."""
    return next((entry.name for entry in entries if _is(entry, sighting)), sighting.name)


def _is(entry: ConsumerEntry, seen: Sighting) -> bool:
    if seen.how == "session":
        return _is_session(entry, seen)
    if seen.how == "read":
        by_entity = entry.entity is not None and entry.entity == seen.entity
        return by_entity or (entry.account is not None and entry.account == seen.account)
    return entry.workload is not None and entry.workload == seen.workload


def _is_session(entry: ConsumerEntry, seen: Sighting) -> bool:
    """By all that the entry says of sessions; a workload says where only the address would."""
    told: list[bool] = []
    if entry.application is not None:
        told.append(fnmatchcase(seen.application, entry.application))
    if entry.address is not None:
        told.append(bool(seen.address) and ip_address(seen.address) in entry.address)
    if not told and entry.workload is not None and seen.workload:
        told.append(entry.workload == seen.workload)
    return bool(told) and all(told)
