"""The two questions at 3 a.m., answered from rows: what did the machine do, and what does it wait for?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from connectors.store.reading import BUSY_STATES
from connectors.store.records import ActionRecord, Delivery, IncidentRecord, IncidentRow
from daemon.web import words
from daemon.web.containment_words import deed, noun, outcome, rotates
from daemon.web.proof_panel import summary
from playbooks.action import UNSUCCESSFUL
from playbooks.containment import RELEASE

Tone: TypeAlias = Literal["good", "plain", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing the machine did, at a time (seconds, UTC), or at no known time."""

    at: float | None
    text: str
    tone: Tone
    href: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """One thing that an incident waits for; `who` is people or the machine."""

    who: Literal["you", "machine"]
    text: str
    href: str = ""


def deeds(record: IncidentRecord) -> Sequence[Deed]:
    """Return what the machine did about an incident, in order of time."""
    row = record.row
    late = words.span(row.opened_at - row.first_event_at)
    found = words.count(record.findings_total, "finding")
    out = [
        Deed(
            row.opened_at,
            f"Opened this incident {late} after the first event. It now holds {found}.",
            "plain",
        )
    ]
    out += [_told(delivery) for delivery in record.deliveries]
    for action in record.actions:
        out += _of_action(action)
    return sorted(out, key=lambda deed: (deed.at is None, deed.at or 0.0))


def waits(
    row: IncidentRow, actions: Sequence[ActionRecord], acknowledged: bool, now: float
) -> Sequence[Wait]:
    """Return what an open incident waits for; the first is what the queue shows."""
    if not row.open:
        return []
    out = [wait for action in actions if not action.drill for wait in _wait_for(action, now)]
    if not acknowledged and row.status in ("new", "reopened"):
        out.append(Wait("you", "somebody to acknowledge it"))
    if not out and row.status == "contained":
        out.append(Wait("you", "the consumers to be checked, then recovery to be stated"))
    if not out and row.status == "recovered":
        out.append(Wait("you", "a reason, then it can be closed"))
    if not out:
        out.append(Wait("you", "a person to follow the playbook: no automatic step is open"))
    return out


def _wait_for(action: ActionRecord, now: float) -> list[Wait]:
    href = f"/actions/{action.id}"
    if action.state == "proposed" and action.given < action.needed:
        missing = words.count(action.needed - action.given, "approval")
        until = ""
        if action.expires_at is not None:
            left = action.expires_at - now
            until = f", {words.span(left)} left" if left > 0 else ", expired"
        return [Wait("you", f"{missing} to {deed(action).lower()} {action.mount}/{action.name}{until}", href)]
    if action.state == "proposed":
        what = f"its guards before the {noun(action)} of {action.mount}/{action.name}"
        return [Wait("machine", what, href)]
    if action.verb == RELEASE and action.state == "queued":
        return []
    if action.state in BUSY_STATES:
        what = f"the {noun(action)} of {action.mount}/{action.name} ({action.state})"
        return [Wait("machine", what, href)]
    if action.state in UNSUCCESSFUL - {"rejected", "superseded", "cancelled"}:
        return [Wait("you", f"a person: {action.mount}/{action.name} is {_state(action.state)}", href)]
    return []


def _told(delivery: Delivery) -> Deed:
    if delivery.delivered_at is not None:
        return Deed(delivery.delivered_at, f"Told the people on call through {delivery.notifier}.", "plain")
    tries = words.count(delivery.attempts, "try", "tries")
    return Deed(None, f"Could not yet tell anybody through {delivery.notifier} ({tries}).", "warn")


def _of_action(action: ActionRecord) -> list[Deed]:
    href, name = f"/actions/{action.id}", f"{action.mount}/{action.name}"
    if action.verb == RELEASE and action.state == "queued":
        return [Deed(None, f"Will release {name} at {words.stamp(action.queued_at or 0.0)}.", "plain", href)]
    what = deed(action).lower()
    drill = " as a drill" if action.drill else ""
    out: list[Deed] = []
    if action.started_at is not None or action.queued_at is not None:
        by = ", ".join(a.approver for a in action.approvals if a.decision == "approve")
        leave = f"after approval by {by}" if by else "by itself, inside its guards"
        began = f"Began to {what} {name}{drill}, {leave}."
        out.append(Deed(action.started_at or action.queued_at, began, "plain", href))
    elif action.state == "proposed":
        out.append(Deed(action.created_at, f"Proposed to {what} {name}; did nothing yet.", "plain", href))
    if not rotates(action):
        ended = outcome(action)
        out += [Deed(ended[0], ended[1], "plain" if ended[2] else "bad", href)] if ended else []
    elif action.proof is not None:
        out.append(_proven(action, name, href))
    elif action.state in UNSUCCESSFUL:
        why = f": {action.reason}" if action.reason else ""
        tone: Tone = "plain" if action.state in ("rejected", "superseded", "cancelled") else "bad"
        out.append(
            Deed(action.finished_at, f"The rotation of {name} is {_state(action.state)}{why}.", tone, href)
        )
    elif action.state == "satisfied":
        out.append(
            Deed(action.finished_at, f"{name} had been rotated since: nothing left to do.", "good", href)
        )
    return out


def _proven(action: ActionRecord, name: str, href: str) -> Deed:
    grade = (action.proof or {}).get("grade")
    if grade is None:
        return Deed(
            action.finished_at, f"Rotated {name}, but the proof FAILED: treat it as alive.", "bad", href
        )
    tone: Tone = "good" if grade in ("A", "B") else "warn"
    text = f"Rotated {name} and proved the old credential dead, grade {grade}: {summary(action.proof or {})}."
    return Deed(action.finished_at, text, tone, href)


def _state(state: str) -> str:
    return {"needs_human": "stopped and needs a person", "verify_failed": "not proven"}.get(
        state, state.replace("_", " ")
    )
