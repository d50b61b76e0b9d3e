"""A plan as people read it: its steps in words, who feels it, the way back, the guards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from connectors.store.records import ActionRecord

_WORDS: Final = {
    "escrow": "Keep the old password, encrypted by the vault, for the proof",
    "negative_control": "Check that a random password is refused",
    "rotate": "Let the vault set a new password",
    "new_accepted": "Check that the new password works",
    "sessions_gone": "End sessions from before the rotation",
    "old_refused": "Try the old password until its refusal is certain",
    "prove": "Write the proof, forget the old password",
}
_PASSWORDS: Final = frozenset({"database_static_role", "database_static_pair"})
_MARKS: Final = {"propose": "needs you", "hold": "holds"}


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One step; `effect` is empty when it only looks; `state` is empty before it has begun."""

    title: str
    effect: str
    irreversible: bool
    state: str
    note: str


@dataclass(frozen=True, slots=True)
class GuardLine:
    """One guard's verdict and reason; `mark` says in a word what it means now."""

    name: str
    passed: bool
    mark: str
    reason: str


def steps(action: ActionRecord) -> Sequence[PlanStep]:
    """Return the plan's steps with how far each has come."""
    done = {step.name: step for step in action.steps}
    planned = action.plan.get("steps")
    words: Mapping[str, str] = _WORDS if action.target_kind in _PASSWORDS else {}
    out: list[PlanStep] = []
    for item in planned if isinstance(planned, list) else []:
        values: Mapping[str, Any] = item if isinstance(item, dict) else {"name": item}
        name = str(values.get("name", ""))
        at = done.get(name)
        out.append(
            PlanStep(
                title=words.get(name) or name.replace("_", " ").capitalize(),
                effect=str(values.get("effect") or ""),
                irreversible=values.get("irreversible") is True,
                state=at.state if at else "",
                note=at.note if at else "",
            )
        )
    return out


def guards(action: ActionRecord) -> Sequence[GuardLine]:
    """Return the verdicts of the last look at the guards; those that hold the action come first."""
    return sorted((_guard(item) for item in action.guards), key=lambda line: line.passed)


def _guard(item: Mapping[str, Any]) -> GuardLine:
    passed = item.get("passed") is True
    mark = "passes" if passed else _MARKS.get(str(item.get("effect", "hold")), "ends it")
    return GuardLine(str(item.get("name", "")), passed, mark, str(item.get("reason", "")))


def blast_radius(action: ActionRecord) -> Sequence[str]:
    """Return who feels the rotation."""
    told = _lines(action.plan.get("blast_radius"))
    if told:
        return told
    if action.target_kind not in _PASSWORDS:
        return ["Whoever uses it, thief and honest consumers alike, until they hold a new one."]
    if action.mode == "orderly":
        return ["One credential. Its consumers move first; the old one dies when they have."]
    return [
        "One credential: its stored password changes at once.",
        "Every live session of this login ends, also those of honest consumers.",
        "Consumers that do not read the new password from the vault are refused until they do.",
    ]


def undo(action: ActionRecord) -> Sequence[str]:
    """Return the way back."""
    told = [line for line in _lines(action.plan.get("undo")) if line != "none"]
    if action.target_kind not in _PASSWORDS:
        # The playbook's words are about a password.
        return [_stays(action) or "This plan does not say; read the kind in the documentation."]
    return told or [
        "There is none, on purpose: the old password has leaked and is not brought back.",
        "If consumers break, let them read the new password from the vault; the playbook says how.",
    ]


def outlook(action: ActionRecord) -> Sequence[str]:
    """Return the best proof that this kind of target can reach, and what cannot be taken back."""
    best, stays = action.plan.get("best_grade"), _stays(action)
    lines = [f"The best proof of this kind is grade {best}."] if isinstance(best, str) else []
    return [*lines, stays] if stays else lines


def _stays(action: ActionRecord) -> str:
    """Return what cannot be taken back, as a sentence; empty when the plan does not say."""
    stays = action.plan.get("irreversible")
    if not isinstance(stays, str):
        return ""
    return f"Cannot be taken back: {stays}." if stays else "Everything that it changes can be taken back."


def digest_parts(digest: str) -> Sequence[str]:
    """Return the digest in groups of eight characters, for comparing by eye."""
    return [digest[at : at + 8] for at in range(0, len(digest), 8)]


def _lines(value: object) -> list[str]:
    if isinstance(value, str) and value:
        return [value]
    return [str(item) for item in value] if isinstance(value, list) else []
