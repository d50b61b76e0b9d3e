"""The conservation laws: every record and event is accounted for by name.

Counters are flat, `what:outcome` or `what:outcome:reason`, so that they fit a commit's metadata.
Source of the laws: ``docs/architecture.md`` and contracts, section 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

Counters: TypeAlias = "dict[str, int]"

LOST: Final = "lost_before_read"
RECORDS_READ: Final = "records:read"
EVENTS_UNPACKED: Final = "events:unpacked"
RECORD_OUTCOMES: Final = ("records:unpacked", "records:rejected", "records:control", "records:empty")
EVENT_OUTCOMES: Final = ("events:accepted", "events:repeated", "events:rejected")
IGNORED: Final = "events:ignored:"
CANARIES_CARRIED: Final = "canary:carried"
CANARY_OUTCOMES: Final = ("canary:accepted", "canary:refused:")

ITEMS_READ: Final = "items:read"
DELIVERY_OUTCOMES: Final = (
    "items:delivered",
    "items:already_there",
    "items:filtered",
    "items:rejected",
)
UNREADABLE: Final = "items:unreadable"


def add(total: Counters, delta: Mapping[str, int]) -> None:
    """Add `delta` to `total` in place; zeros are not kept."""
    for name, count in delta.items():
        if count:
            total[name] = total.get(name, 0) + count


def total(parts: Iterable[Mapping[str, int]]) -> Counters:
    """Return the sum of counters."""
    out: Counters = {}
    for part in parts:
        add(out, part)
    return out


def detect_violations(counters: Mapping[str, int]) -> list[str]:
    """Return the broken laws of detect's counters; empty when all hold.

    Records: read = unpacked + rejected + control + empty.
    Events: unpacked = accepted + repeated + rejected + ignored.
    Records that carry a canary's header: carried = accepted + refused (they are events besides).
    """
    violations: list[str] = []
    read = counters.get(RECORDS_READ, 0)
    records = sum(counters.get(name, 0) for name in RECORD_OUTCOMES)
    if read != records:
        violations.append(f"records: read {read}, accounted for {records}")
    unpacked = counters.get(EVENTS_UNPACKED, 0)
    events = sum(counters.get(name, 0) for name in EVENT_OUTCOMES)
    events += sum(count for name, count in counters.items() if name.startswith(IGNORED))
    if unpacked != events:
        violations.append(f"events: unpacked {unpacked}, accounted for {events}")
    carried = counters.get(CANARIES_CARRIED, 0)
    judged = sum(count for name, count in counters.items() if name.startswith(CANARY_OUTCOMES))
    if carried != judged:
        violations.append(f"canaries: carried {carried}, accounted for {judged}")
    return violations


def forward_violations(counters: Mapping[str, int], in_flight: int = 0) -> list[str]:
    """Return the broken laws of one target's counters for one source or stream.

    Items: read = delivered + already_there + filtered + rejected + in_flight. `unreadable` stands
    beside: those are detect's dead letters.
    """
    read = counters.get(ITEMS_READ, 0)
    done = sum(counters.get(name, 0) for name in DELIVERY_OUTCOMES) + in_flight
    return [] if read == done else [f"items: read {read}, accounted for {done}"]


def between(detect: Mapping[str, int], forward: Mapping[str, int], in_flight: int) -> list[str]:
    """Return the broken law between the roles: accepted + repeated = what forward has or holds.

    It holds when both have read the same offsets, that is, when both are at the end of the topic.
    """
    expected = detect.get("events:accepted", 0) + detect.get("events:repeated", 0)
    held = sum(forward.get(name, 0) for name in DELIVERY_OUTCOMES) + in_flight
    return [] if expected == held else [f"detect accepted {expected} events, forward accounts for {held}"]
