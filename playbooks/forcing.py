"""Cutting off consumers that do not move: people agree to names, one by one, and to nobody else.

What is agreed to is a digest of the plan and of the names that the person read. Who is not named in the
words of enough people is waited for; whoever comes later too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from detectors.event import Json
from playbooks.approval import Asked, Refusal, Vote, refusal
from playbooks.incident import plan_digest
from playbooks.policy import ApproverRef


@dataclass(frozen=True, slots=True)
class ForceVote:
    """One person's word that the consumers `names` are cut off; `at` is seconds, UTC."""

    approver: str
    digest: str
    names: frozenset[str]
    at: float


def force_digest(action_digest: str, names: Collection[str]) -> str:
    """Return what people agree to: the plan's digest with the names, as SHA-256 (hex)."""
    return plan_digest({"plan": action_digest, "cut_off": list[Json](sorted(names))})


def force_refusal(asked: Asked, vote: ForceVote, approver: ApproverRef | None) -> Refusal | None:
    """Return why this word does not count, or None; `asked.digest` is the plan's (`approval.refusal`)."""
    digest = force_digest(asked.digest, vote.names)
    open_now = replace(asked, digest=digest, state="proposed", expires_at=None)
    return refusal(open_now, Vote(vote.approver, "approve", vote.digest, vote.at), approver)


def agreed(
    asked: Asked, votes: Sequence[ForceVote], approvers: Sequence[ApproverRef], needed: int
) -> frozenset[str]:
    """Return the names that `needed` people agreed to cut off; of each person the last word counts."""
    last: dict[str, ForceVote] = {}
    for vote in sorted(votes, key=lambda one: (one.at, one.approver)):
        person = next((one for one in approvers if one.name == vote.approver), None)
        if person is not None and force_refusal(asked, vote, person) is None:
            last[_being(person, approvers)] = vote
    counted = Counter(name for vote in last.values() for name in vote.names)
    return frozenset(name for name, people in counted.items() if people >= needed)


def _being(person: ApproverRef, approvers: Sequence[ApproverRef]) -> str:
    """Return one name for one human being, whatever entry they speak as."""
    names = (person.name, *person.aliases)
    return next(one.name for one in approvers if any(one.is_called(name) for name in names))
