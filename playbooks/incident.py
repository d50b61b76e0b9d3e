"""The life of an incident: its states, the legal ways between them, and every id derived from it.

Source: NIST SP 800-61r3 (Respond, Recover) and OCSF incident states; ids by `docs/architecture.md`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias
from urllib.parse import quote

from detectors.event import Json
from detectors.identifier import derive, digest16

Status: TypeAlias = Literal["new", "acknowledged", "contained", "recovered", "closed", "reopened", "merged"]
STATUSES: Final[tuple[Status, ...]] = (
    "new",
    "acknowledged",
    "contained",
    "recovered",
    "closed",
    "reopened",
    "merged",
)
OPEN: Final[frozenset[Status]] = frozenset({"new", "acknowledged", "contained", "recovered", "reopened"})
CloseReason: TypeAlias = Literal[
    "benign",
    "contained",
    "escalated",
    "false_positive",
    "information_gathered",
    "insufficient_information",
    "mitigated",
    "operational_error",
    "policy_violation",
    "user_acknowledged",
]
ENDS: Final[frozenset[Status]] = frozenset({"recovered", "closed"})
"""States that say all is well: refused while an old credential is not proven dead."""
KEY_VERSION: Final = 1
_SHOWN_DEBTS: Final = 5
MAX_ID_BYTES: Final = 512

_LEGAL: Final[Mapping[Status, frozenset[Status]]] = {
    "new": frozenset({"acknowledged", "contained", "closed", "merged"}),
    "acknowledged": frozenset({"contained", "closed", "merged"}),
    "contained": frozenset({"recovered", "reopened", "closed", "merged"}),
    "recovered": frozenset({"reopened", "closed", "merged"}),
    "reopened": frozenset({"acknowledged", "contained", "closed", "merged"}),
    "closed": frozenset({"reopened"}),
    "merged": frozenset({"reopened"}),
}


class IllegalTransitionError(ValueError):
    """An incident cannot go from one state to another; the message names both and what is allowed."""


class DebtOwedError(IllegalTransitionError):
    """An incident cannot end: old credentials of it are not proven dead; the message names them."""


def parse_status(text: str) -> Status:
    """Return `text` as a status. Raises ValueError that names the allowed ones."""
    if text not in STATUSES:
        raise ValueError(f"status {text!r} is not one of {', '.join(STATUSES)}")
    return text


def allowed(status: Status) -> frozenset[Status]:
    """Return where an incident may go from `status`."""
    return _LEGAL[status]


def check_transition(status: Status, to_status: Status) -> None:
    """Raise IllegalTransitionError unless an incident may go from `status` to `to_status`."""
    if to_status not in _LEGAL[status]:
        ways = ", ".join(sorted(_LEGAL[status]))
        raise IllegalTransitionError(f"an incident cannot go from {status} to {to_status}; allowed: {ways}")


def check_debt(to_status: Status, owed: Sequence[str]) -> None:
    """Raise DebtOwedError when an incident shall end while the old credentials `owed` may be alive."""
    if to_status not in ENDS or not owed:
        return
    more = f" and {len(owed) - _SHOWN_DEBTS} more" if len(owed) > _SHOWN_DEBTS else ""
    names = "; ".join(owed[:_SHOWN_DEBTS])
    raise DebtOwedError(f"an incident cannot be {to_status}: not proven dead yet: {names}{more}")


def bounded_id(text: str, limit: int = MAX_ID_BYTES) -> str:
    """Return an entity id of at most `limit` UTF-8 bytes, without NUL and lone surrogates.

    A changed id ends in a hash of the whole, so that two long ids never become one.
    """
    clean = text.replace("\x00", "\ufffd").encode("utf-8", "replace")
    if clean == text.encode("utf-8", "surrogatepass") and len(clean) <= limit:
        return text
    return clean[: limit - 17].decode("utf-8", "ignore") + "~" + digest16(text)


def incident_key(tenant: str, playbook_id: str, primary: tuple[str, str]) -> str:
    """Return the key that one open incident holds: tenant, playbook, primary entity, version of the key.

    The id is percent-encoded: an attacker's slash cannot make one key look like another.
    """
    kind, entity_id = primary
    return f"{tenant}/{playbook_id}/{kind}:{quote(bounded_id(entity_id), safe=':@._-')}/v{KEY_VERSION}"


def incident_id(key: str, first_finding_id: str) -> str:
    """Return the id of the incident that `first_finding_id` opens under `key`."""
    return derive("incident", key, first_finding_id)


def action_id(incident: str, verb: str, target_key: str, epoch: int, generation: int = 0) -> str:
    """Return the id of an action; `generation` counts re-plans after one that ended without success."""
    fields = (incident, verb, target_key, str(epoch))
    return derive("action", *fields) if generation == 0 else derive("action", *fields, str(generation))


def drill_id(target_key: str, requester: str, at: float) -> str:
    """Return the id of a drill: a person asked for it at a time (seconds, UTC)."""
    return derive("drill", target_key, requester, f"{at:.6f}")


def notification_id(incident: str, notifier: str, occasion: str) -> str:
    """Return the id of one page: incident, notifier and the occasion ("opened", "level:critical", ...)."""
    return derive("notification", incident, notifier, occasion)


def plan_digest(plan: Mapping[str, Json]) -> str:
    """Return the SHA-256 (hex) of the plan as canonical JSON: what an approver approves."""
    text = json.dumps(plan, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
