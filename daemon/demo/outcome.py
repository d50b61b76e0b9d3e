"""Judges a play from facts: the database of record, the roles' counters, the server's own words."""

from __future__ import annotations

from typing import Any, Final

from connectors.rotation.login import Login
from daemon.demo.accounts import anything_lost
from daemon.demo.breach import Breach
from daemon.demo.result import Result
from daemon.demo.watcher import SESSION_STAGE, Watcher
from daemon.demo.watching import ANALYTICS_KEY, CUSTOMERS_KEY, Seen, proven_at

_NEEDED: Final = 2


def judge(watcher: Watcher, breach: Breach, again: Login, counted: dict[str, Any], paged: int) -> Result:
    """Return the result: every fact that must be true, and the timeline. `paged`: pages that arrived."""
    seen = watcher.seen
    rotation = seen.action_on(ANALYTICS_KEY)
    proposal = seen.action_on(CUSTOMERS_KEY)
    incident = seen.incident_of(rotation) if rotation else None
    proof = rotation.proof if rotation else None
    result = Result(
        proof=proof,
        proposed=tuple(a for a in seen.actions if a.state == "proposed"),
        incidents=seen.incidents,
        first_event=breach.first_event,
        detected=_detected(watcher),
        contained=incident.contained_at if incident else None,
        proven=proven_at(proof) if proof else None,
        conservation=counted,
    )
    drill = seen.drill_of(ANALYTICS_KEY)
    result.facts = {
        "the drill was proven, grade A": bool(drill and drill.proof and drill.proof.get("grade") == "A"),
        "the rotation of analytics is proven, grade A": bool(proof and proof.get("grade") == "A"),
        "the rotation needed nobody": bool(rotation and rotation.needed == 0 and rotation.given == 0),
        "the thief's session was ended": watcher.session_ended_at is not None,
        "the thief's next login was refused by the server": again.verdict == "refused",
        "the restricted rotation waits for two approvals": bool(
            proposal and proposal.state == "proposed" and proposal.needed == _NEEDED
        ),
        "every stage stands in an incident": not watcher.unfound() and _read_is_found(seen, breach),
        "the person on call was paged": paged > 0,
        "every record is accounted for": not counted.get("violations", ["nothing counted"]),
        "nothing was lost before it was read": not anything_lost(
            counted.get("lost_before_read", {"nothing": "counted"})
        ),
    }
    return result


def _read_is_found(seen: Seen, breach: Breach) -> bool:
    return seen.finding_of(breach.second_marker) is not None


def _detected(watcher: Watcher) -> float | None:
    return min((at for n, at in watcher.found_at.items() if n != SESSION_STAGE), default=None)
