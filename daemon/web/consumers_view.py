"""Who still uses the old credential, as people read it, and what agreeing to cut them off means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from connectors.store import forcing as stored
from connectors.store.records import ActionRecord, Step
from detectors.finding import rfc3339
from playbooks.convergence import Consumer, Convergence
from playbooks.forcing import ForceVote, force_digest

STEP: Final = "consumers"
_KNOWN_BY: Final = {
    "inventory": "the inventory",
    "session": "its sessions",
    "read": "its reads in the vault",
    "mount": "its mount",
}


@dataclass(frozen=True, slots=True)
class ConsumerLine:
    """One consumer; `missing` is empty when it has moved, times are seconds (UTC) or None."""

    name: str
    known_by: str
    old: str
    new_at: float | None
    missing: str


@dataclass(frozen=True, slots=True)
class ConsumersTable:
    """What an action knows of its consumers. `digest` is what people agree to when they cut off `left`;
    it is empty when nobody can be cut off now. `needed` is how many people that takes.
    """

    lines: Sequence[ConsumerLine]
    looked_at: float | None
    looks: int
    left: Sequence[str]
    digest: str
    needed: int

    def agreed_by(self, votes: Sequence[ForceVote]) -> Sequence[str]:
        """Return who agreed to cut off all that are left, by name."""
        wanted = frozenset(self.left)
        last = {vote.approver: vote for vote in sorted(votes, key=lambda vote: vote.at)}
        return sorted(name for name, vote in last.items() if wanted and wanted <= vote.names)


def table(action: ActionRecord) -> ConsumersTable | None:
    """Return what the action knows of its consumers, who is left first; None when it looked for none."""
    step = _step(action)
    if step is None or not step.consumers:
        return None
    known = Convergence.from_json(step.consumers)
    left = tuple(known.left)
    lines = [_line(name, one) for name, one in known.consumers.items()]
    open_now = waiting(action) and bool(left)
    return ConsumersTable(
        lines=sorted(lines, key=lambda line: (not line.old, not line.missing, line.name)),
        looked_at=known.looked_at,
        looks=known.looks,
        left=left,
        digest=force_digest(action.digest, left) if open_now else "",
        needed=stored.needed(action.classification, action.verb),
    )


def waiting(action: ActionRecord) -> bool:
    """Return whether the action waits for its consumers now."""
    step = _step(action)
    return action.state in ("executing", "verifying") and step is not None and step.state != "done"


def document(action: ActionRecord) -> Mapping[str, Any] | None:
    """Return the table as the API has it."""
    found = table(action)
    if found is None:
        return None
    return {
        "looked_at": _time(found.looked_at),
        "looks": found.looks,
        "left": list(found.left),
        "cut_off_digest": found.digest,
        "cut_off_needed": found.needed,
        "known": [
            {
                "name": line.name,
                "known_by": line.known_by,
                "old": line.old,
                "new_at": _time(line.new_at),
                "missing": line.missing,
            }
            for line in found.lines
        ],
    }


def _line(name: str, one: Consumer) -> ConsumerLine:
    known_by = ", ".join(_KNOWN_BY.get(how, how) for how in one.known_by)
    return ConsumerLine(name, known_by, one.old, one.new_at, one.missing)


def _time(at: float | None) -> str | None:
    return None if at is None else rfc3339(at)


def _step(action: ActionRecord) -> Step | None:
    return next((step for step in action.steps if step.name == STEP), None)
