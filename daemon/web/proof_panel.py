"""The proof, told check by check: what was tried, how often, when, what the service answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from connectors.store.records import ActionRecord
from daemon.web import words
from daemon.web.containment_words import CHECKS, rotates
from detectors.finding import parse_rfc3339

Verdict: TypeAlias = Literal["passed", "failed", "untried"]
_CHECKS: Final = {
    "negative_control": ("Probe is honest", "a random password is refused, so a refusal means something"),
    "new_accepted": ("New one works", "the credential that the vault serves logs in"),
    "old_refused": ("Old one is dead", "the leaked credential is refused by the service itself"),
    "sessions_gone": ("Sessions are gone", "no connection from before the rotation is left"),
    "consumers": ("Consumers moved", "everyone who needs it uses the new one"),
    "object_stands": ("It stands", "the API server holds the policy as it was planned"),
    "selects_exactly": ("Exactly this", "it selects this workload and nothing else"),
    "nothing_overrides": ("Nothing lets through", "no other policy allows what it forbids"),
}
ROTATION: Final = ("negative_control", "new_accepted", "old_refused", "sessions_gone", "consumers")
GRADES: Final = {
    "A": "refused by the service itself, again and again",
    "B": "gone by all we can see; the old value was not ours to try",
    "C": "only the API's word",
    "failed": "the proof failed: treat the old credential as alive",
    "open": "the proof is not finished",
}


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One check as the panel shows it; `first` and `last` are seconds (UTC) or None."""

    title: str
    meaning: str
    verdict: Verdict
    attempts: int = 0
    first: float | None = None
    last: float | None = None
    observer: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class ProofPanel:
    """The panel of one action. `grade` is a key of GRADES."""

    action_id: str
    target: str
    drill: bool
    grade: str
    meaning: str
    lines: Sequence[CheckLine]
    rotated_at: float | None
    proven_at: float | None
    epoch: int


def panel(action: ActionRecord) -> ProofPanel | None:
    """Return the panel of an action's proof, or of the checks so far; None when nothing was tried."""
    proof = action.proof
    checks = proof.get("checks", []) if proof else [c for step in action.steps for c in step.checks]
    if proof is None and not checks:
        return None
    grade = "open" if proof is None else str(proof.get("grade") or "failed")
    by_name = {str(check.get("name")): check for check in checks}
    wanted = ROTATION if rotates(action) else CHECKS
    names = [name for name in wanted if name != "consumers" or name in by_name]
    return ProofPanel(
        action_id=action.id,
        target=f"{action.mount}/{action.name}",
        drill=action.drill,
        grade=grade,
        meaning=GRADES.get(grade, ""),
        lines=[_line(name, by_name.get(name)) for name in names],
        rotated_at=_time(proof or {}, "rotated_at"),
        proven_at=_time(proof or {}, "proven_at"),
        epoch=action.epoch,
    )


def summary(proof: Mapping[str, Any]) -> str:
    """Return half a sentence: how often and how long the old credential was refused."""
    for check in proof.get("checks", []):
        if check.get("name") == "old_refused" and check.get("passed"):
            line = _line("old_refused", check)
            span = words.span((line.last or 0.0) - (line.first or 0.0))
            return f"refused {words.count(line.attempts, 'time')} over {span} ({line.code})"
    return "the old value could not be tried"


def _line(name: str, check: Mapping[str, Any] | None) -> CheckLine:
    title, meaning = _CHECKS[name]
    if check is None:
        return CheckLine(title, meaning, "untried")
    return CheckLine(
        title=title,
        meaning=meaning,
        verdict="passed" if check.get("passed") else "failed",
        attempts=int(check.get("attempts") or 0),
        first=_time(check, "first"),
        last=_time(check, "last"),
        observer=str(check.get("observer") or ""),
        code=str(check.get("code") or ""),
    )


def _time(document: Mapping[str, Any], key: str) -> float | None:
    try:
        return parse_rfc3339(str(document[key]))
    except (KeyError, ValueError):
        return None
