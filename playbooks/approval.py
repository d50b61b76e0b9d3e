"""Who may approve what: named people, not the requester, not the subject, not the sole owner, each once.

An approval is of a plan's digest; anything else is refused, and the caller audits every refusal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from playbooks.policy import ApproverRef
from playbooks.target import DataClass

Refusal: TypeAlias = Literal[
    "not_an_approver",
    "class_not_allowed",
    "requester",
    "subject",
    "sole_owner",
    "digest_changed",
    "expired",
    "not_open",
]
NEEDED: Final[dict[DataClass, int]] = {
    "public": 0,
    "internal": 0,
    "confidential": 1,
    "restricted": 2,
    "unknown": 2,
}
TWO_PERSON_VERBS: Final = frozenset(
    {
        "rotate.database_root",
        "rotate.vault_root",
        "revoke.issuer",
        "raise.transit_version",
        "deny.role_sessions",
    }
)
WORDS: Final[dict[Refusal, str]] = {
    "not_an_approver": "is not a named approver",
    "class_not_allowed": "may not approve for this data class",
    "requester": "asked for the action and cannot approve it",
    "subject": "is a subject of the incident and cannot approve it",
    "sole_owner": "is the sole owner of the credential and cannot approve it",
    "digest_changed": "approved another plan; read the plan again",
    "expired": "came after the proposal had expired",
    "not_open": "came when the action was no longer waiting",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be approved. `subjects` are the ids of every entity of the incident; times: seconds, UTC."""

    verb: str
    classification: DataClass
    owner: str
    requester: str
    digest: str
    subjects: frozenset[str]
    expires_at: float | None
    state: str = "proposed"


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's decision about one digest."""

    approver: str
    decision: Literal["approve", "reject"]
    digest: str
    at: float


@dataclass(frozen=True, slots=True)
class Tally:
    """Who approved, who rejected, whose word does not count and why."""

    approved: tuple[str, ...]
    rejected: tuple[str, ...]
    refused: tuple[tuple[Vote, Refusal], ...]


def needed(classification: DataClass, verb: str, *, proposing: bool) -> int:
    """Return how many approvals an action needs: the greatest of class, verb and mode."""
    by_verb = 2 if verb in TWO_PERSON_VERBS else 0
    return max(NEEDED[classification], by_verb, 1 if proposing else 0)


def refusal(asked: Asked, vote: Vote, approver: ApproverRef | None) -> Refusal | None:
    """Return why this vote does not count, or None when it does. `approver` is who `vote` names."""
    if approver is None:
        return "not_an_approver"
    if asked.state != "proposed":
        return "not_open"
    if asked.expires_at is not None and vote.at >= asked.expires_at:
        return "expired"
    if vote.digest != asked.digest:
        return "digest_changed"
    if approver.is_called(asked.requester):
        return "requester"
    if any(approver.is_called(name) for subject in asked.subjects for name in names_in(subject)):
        return "subject"
    if approver.is_called(asked.owner):
        return "sole_owner"
    if vote.decision == "approve" and asked.classification not in approver.classes:
        return "class_not_allowed"
    return None


def names_in(entity_id: str) -> frozenset[str]:
    """Return the names that an entity id may mean: itself and, for a path or an ARN, its last part."""
    return frozenset({entity_id, entity_id.rsplit("/", 1)[-1], entity_id.rsplit(":", 1)[-1]})


def tally(asked: Asked, votes: Sequence[Vote], approvers: Sequence[ApproverRef]) -> Tally:
    """Count votes; a person counts once, whatever they are called, and their last word stands."""
    last: dict[str, Vote] = {}
    refused: list[tuple[Vote, Refusal]] = []
    for vote in sorted(votes, key=lambda v: (v.at, v.approver)):
        person = next((a for a in approvers if a.name == vote.approver), None)
        reason = refusal(asked, vote, person)
        if reason is not None or person is None:
            refused.append((vote, reason or "not_an_approver"))
            continue
        known = next((name for name in last if _same(person, name, approvers)), person.name)
        last[known] = vote
    approved = tuple(sorted(v.approver for v in last.values() if v.decision == "approve"))
    rejected = tuple(sorted(v.approver for v in last.values() if v.decision == "reject"))
    return Tally(approved, rejected, tuple(refused))


def _same(person: ApproverRef, name: str, approvers: Sequence[ApproverRef]) -> bool:
    """Return whether `person` and the approver `name` are one human being: they share a name or an alias."""
    other = next(approver for approver in approvers if approver.name == name)
    return any(person.is_called(text) for text in (other.name, *other.aliases))
