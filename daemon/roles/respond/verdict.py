"""How an action ends: proven, not proven, nothing done, or nobody knows and a person must look."""

from __future__ import annotations

from typing import cast

from connectors.store.finishing import Ending
from connectors.store.leases import ActionRow
from daemon.roles.respond.progress import Run, Step
from playbooks.proof import Proof, grade


def timed_out(action: ActionRow, step: Step, now: float) -> str | None:
    """Return why the action may not go on (its own deadline or the step's), or None."""
    if now > action.deadline_at:
        return f"{step.name}: the action's deadline has passed"
    if step.used_s > step.spec.deadline_s:
        return f"{step.name}: the step's deadline of {step.spec.deadline_s:.0f} s has passed"
    return None


def proven_ending(action: ActionRow, run: Run, now: float) -> Ending:
    """Return the ending after the last step: succeeded with a grade, or not proven after all."""
    proof = _proof(action, run, now)
    if proof.grade is None:
        return Ending("verify_failed", "the checks do not make a proof", proof.rotated_at, proof)
    return Ending("succeeded", f"proof grade {proof.grade}", proof.rotated_at, proof)


def failed_ending(action: ActionRow, run: Run, step: Step, reason: str, *, final: bool, now: float) -> Ending:
    """Return the ending of a step that cannot go on.

    Before the credential changed: failed. While it may be changing (the vault goes on by itself): a person
    must look. After: not proven, with the checks as they stand.
    """
    if run.effective:
        proof = _proof(action, run, now)
        return Ending("verify_failed", reason, proof.rotated_at, proof)
    if step.effective and not final:
        return Ending("needs_human", f"{reason}; it may still take effect")
    return Ending("failed", f"{reason}; nothing was rotated")


def _proof(action: ActionRow, run: Run, now: float) -> Proof:
    state = run.state
    rotated = state.get("rotated_at")
    checks = run.checks
    return Proof(
        grade=grade(checks, pooled=bool(state.get("pooled")), tried_old=bool(state.get("tried_old", True))),
        action_id=action.id,
        incident_id=action.incident_id or "",
        target=action.target,
        mode=action.mode,
        epoch=action.epoch,
        plan_digest=action.digest,
        rotated_at=float(cast(float, rotated)) if rotated is not None else now,
        proven_at=now,
        checks=checks,
    )
