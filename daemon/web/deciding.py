"""Approving and rejecting a plan by the rules of `playbooks/approval.py`, with the audit row at once.

respond checks every approval again itself; this check is for the person, and to keep the table clean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from sqlalchemy import Connection

from config.web import Approver
from connectors.store import approvals, audit, reading
from connectors.store.records import ActionRecord
from daemon.web.identity import Person
from daemon.web.refusal import RefusalError
from daemon.web.site import Site
from playbooks.approval import Asked, Refusal, Vote, refusal
from playbooks.incident import plan_digest
from playbooks.policy import ApproverRef
from playbooks.target import DataClass

Decision: TypeAlias = Literal["approve", "reject"]
_CLASSES: Final[dict[str, DataClass]] = {
    "public": "public",
    "internal": "internal",
    "confidential": "confidential",
    "restricted": "restricted",
}
_ANSWERS: Final[dict[Refusal, tuple[int, str, str]]] = {
    "not_an_approver": (403, "class", "You are not a named approver."),
    "class_not_allowed": (403, "class", "You may not approve for the data class {classification}."),
    "requester": (403, "requester", "You asked for this rotation; somebody else has to decide."),
    "subject": (403, "subject", "You are a subject of this incident; somebody else has to decide."),
    "sole_owner": (403, "owner", "You are the credential's sole owner; somebody else has to decide."),
    "digest_changed": (409, "digest", "The plan is not the one that you read. Read it again, then decide."),
    "expired": (409, "expired", "This proposal has expired. A new finding or a drill makes a new one."),
    "not_open": (409, "state", "This plan is {state}; there is nothing left to decide."),
}


async def decide(site: Site, who: Person, action_id: str, decision: Decision, digest: str) -> ActionRecord:
    """Record a decision about the digest that the person read, and return the action as it is then.

    Refusals (404, 403, 409) are raised after their audit row is committed.
    """
    now = site.clock()

    def change(connection: Connection) -> ActionRecord | RefusalError:
        record = reading.action(connection, action_id)
        no = _why_not(connection, record, site, who.approver, decision, digest, now)
        detail = {"via": who.via, "digest": digest[:64]}
        deed = f"action.{decision}"
        if no is not None or record is None:
            no = no or RefusalError(404, "not_found", "There is no action with this id.")
            audit.record(
                connection,
                now,
                who.name,
                deed,
                action_id,
                "refused",
                {**detail, "guard": no.guard, "reason": no.reason},
            )
            return no
        approvals.decide(connection, action_id, who.name, decision, digest, now, who.via)
        audit.record(connection, now, who.name, deed, action_id, "allowed", detail)
        return reading.action(connection, action_id) or record

    outcome = await site.write(change)
    if isinstance(outcome, RefusalError):
        raise outcome
    site.metrics.decisions.labels(decision).inc()
    return outcome


def why_not(
    record: ActionRecord,
    subjects: frozenset[str],
    approvers: Sequence[Approver],
    approver: Approver,
    decision: Decision,
    digest: str,
    now: float,
) -> RefusalError | None:
    """Return why this person may not decide this now, or None. `subjects`: ids of the incident's entities."""
    if plan_digest(record.plan) != record.digest:
        return RefusalError(
            409, "digest", "The stored plan does not match its digest. Nobody can approve it."
        )
    asked = asked_of(record, subjects)
    reason = refusal(asked, Vote(approver.name, decision, digest, now), ref(approver))
    if reason is not None:
        return refused_for(reason, record)
    return _repeated(record, approvers, approver, decision)


def asked_of(record: ActionRecord, subjects: frozenset[str]) -> Asked:
    """Return what people are asked. `subjects`: ids of the incident's entities."""
    return Asked(
        verb=record.verb,
        classification=_CLASSES.get(record.classification, "unknown"),
        owner=record.target_owner,
        requester=record.requester,
        digest=record.digest,
        subjects=subjects,
        expires_at=record.expires_at,
        state=record.state,
    )


def refused_for(reason: Refusal, record: ActionRecord) -> RefusalError:
    """Return a rule's refusal in words for the person."""
    status, guard, text = _ANSWERS[reason]
    state = record.state.replace("_", " ")
    return RefusalError(status, guard, text.format(classification=record.classification, state=state))


def ref(approver: Approver) -> ApproverRef:
    """Return a configured approver as the rules see them."""
    return ApproverRef(approver.name, approver.classes, approver.aliases)


def _repeated(
    record: ActionRecord, approvers: Sequence[Approver], approver: Approver, decision: Decision
) -> RefusalError | None:
    person = ref(approver)
    same = {
        other.name
        for other in approvers
        if any(person.is_called(name) for name in (other.name, *other.aliases))
    } | {approver.name}
    for given in record.approvals:
        if given.approver in same and given.digest == record.digest and given.decision == decision:
            done = "approved" if decision == "approve" else "rejected"
            return RefusalError(
                409, "repeated", f"You have {done} this plan already; one person counts once."
            )
    return None


def _why_not(
    connection: Connection,
    record: ActionRecord | None,
    site: Site,
    approver: Approver,
    decision: Decision,
    digest: str,
    now: float,
) -> RefusalError | None:
    if record is None:
        return None
    known = subjects_of(connection, record)
    return why_not(record, known, site.settings.web.approvers, approver, decision, digest, now)


def subjects_of(connection: Connection, record: ActionRecord) -> frozenset[str]:
    """Return the ids of every entity of the action's incident."""
    if record.incident_id is None:
        return frozenset()
    return frozenset(entity.id for entity in reading.incident_entities(connection, record.incident_id))
