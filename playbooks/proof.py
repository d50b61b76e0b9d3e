"""The proof that an old credential is dead: checks, grade and the JSON of `davylamp.proof/1`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from detectors.event import Fields
from detectors.finding import rfc3339
from playbooks.target import TargetRef

CheckName: TypeAlias = Literal[
    "negative_control",
    "new_accepted",
    "old_refused",
    "sessions_gone",
    "consumers",
    "object_stands",
    "selects_exactly",
    "nothing_overrides",
]
Grade: TypeAlias = Literal["A", "B", "C"]
MIN_REFUSALS: Final = 3
MIN_REFUSED_S: Final = 3.0
MIN_REFUSED_POOLED_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what was tried how often, between which times (seconds, UTC), seen by whom.

    `code` is the last raw answer (an SQLSTATE, an HTTP status); never a secret.
    """

    name: CheckName
    passed: bool
    attempts: int
    first: float
    last: float
    observer: str
    code: str

    def to_json(self) -> Fields:
        """Return the check as the contract writes it."""
        return {
            "name": self.name,
            "passed": self.passed,
            "attempts": self.attempts,
            "first": rfc3339(self.first),
            "last": rfc3339(self.last),
            "observer": self.observer,
            "code": self.code,
        }


def grade(
    checks: Sequence[Check],
    *,
    pooled: bool = False,
    tried_old: bool = True,
    without: Collection[CheckName] = (),
) -> Grade | None:
    """Return the grade (contracts, section 5), or None when the proof failed.

    A: negative_control, new_accepted, old_refused, sessions_gone pass, and old_refused has at least
    three refusals over at least 3 s (10 s behind a pooler). B: the old value cannot be tried
    (`tried_old` false) or the kind has no such check (`without`: a revoked token has no successor), and
    the rest passes. C is never computed here: it is the API's word alone.
    """
    by_name: Mapping[str, Check] = {check.name: check for check in checks}
    if not all(check.passed for check in by_name.values()):
        return None
    needed: tuple[CheckName, ...] = ("negative_control", "new_accepted", "sessions_gone")
    if any(name not in by_name and name not in without for name in needed):
        return None
    if not tried_old:
        return "B"
    old = by_name.get("old_refused")
    if old is None or old.attempts < MIN_REFUSALS:
        return None
    if old.last - old.first < (MIN_REFUSED_POOLED_S if pooled else MIN_REFUSED_S):
        return None
    return "A" if all(name in by_name for name in needed) else "B"


@dataclass(frozen=True, slots=True)
class Proof:
    """A finished proof. `rotated_at` is the vault's clock, seconds since the epoch, UTC."""

    grade: Grade | None
    action_id: str
    incident_id: str
    target: TargetRef
    mode: Literal["contain", "orderly"]
    epoch: int
    plan_digest: str
    rotated_at: float
    proven_at: float
    checks: tuple[Check, ...]

    def to_json(self) -> Fields:
        """Return the object of contract `davylamp.proof/1`."""
        return {
            "schema": "davylamp.proof/1",
            "grade": self.grade,
            "action_id": self.action_id,
            "incident_id": self.incident_id,
            "target": {
                "kind": self.target.kind,
                "mount": self.target.mount,
                "name": self.target.name,
                "class": self.target.classification,
            },
            "mode": self.mode,
            "epoch": self.epoch,
            "plan_digest": self.plan_digest,
            "rotated_at": rfc3339(self.rotated_at),
            "proven_at": rfc3339(self.proven_at),
            "checks": [check.to_json() for check in self.checks],
        }
