"""How an action ends: proven, not proven, nothing done, or nobody knows and a person must look."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from connectors.store.finishing import Ending
from connectors.store.leases import ActionRow
from daemon.roles.respond.progress import Run, Step
from detectors.event import Fields
from playbooks.containment import CONTAIN, RELEASE, Release, containment_grade
from playbooks.proof import CheckName, Proof, grade


def timed_out(action: ActionRow, step: Step, now: float) -> str | None:
    """Return why the action may not go on (its own deadline or the step's), or None."""
    if now > action.deadline_at:
        return f"{step.name}: the action's deadline has passed"
    if step.used_s > step.spec.deadline_s:
        return f"{step.name}: the step's deadline of {step.spec.deadline_s:.0f} s has passed"
    return None


def proven_ending(action: ActionRow, run: Run, now: float) -> Ending:
    """Return the ending after the last step: succeeded with a grade, or not proven after all."""
    if action.verb == RELEASE:
        return Ending("succeeded", "released")
    proof = _proof(action, run, now)
    if action.verb == CONTAIN:
        return _contained(proof)
    if proof.grade is None:
        return Ending("verify_failed", "the checks do not make a proof", proof.rotated_at, proof)
    return Ending("succeeded", f"proof grade {proof.grade}", proof.rotated_at, proof)


def released_after(action: ActionRow, run: Run, ending: Ending) -> Ending:
    """Return the ending of a containment with its release, if anything may stand because of it."""
    expires_at = run.state.get("expires_at")
    if action.verb != CONTAIN or not run.begun or not isinstance(expires_at, int | float):
        return ending
    uid = run.state.get("uid")
    state: Fields = {"action_id": action.id}
    if uid is not None:
        state["uid"] = uid
    return replace(ending, release=Release(float(expires_at), state))


def _contained(proof: Proof) -> Ending:
    """Return the ending of a containment whose steps are done: it stands by the API server's word alone."""
    worth = containment_grade(proof.checks)
    if worth is None:
        return Ending(
            "verify_failed", "the checks do not say that it stands", proof=replace(proof, grade=None)
        )
    return Ending("succeeded", f"it stands, proof grade {worth}", proof=replace(proof, grade=worth))


def failed_ending(action: ActionRow, run: Run, step: Step, reason: str, *, final: bool, now: float) -> Ending:
    """Return the ending of a step that cannot go on.

    Before the credential changed: failed. While it may be changing (the vault goes on by itself): a person
    must look. After: not proven, with the checks as they stand. What a brake has done stays, so a person
    must look at it too.
    """
    if run.brake:
        return _brake_ending(action, run, step, reason, final=final, now=now)
    if run.effective:
        proof = _proof(action, run, now)
        return Ending("verify_failed", reason, proof.rotated_at, proof)
    if step.effective and not final:
        return Ending("needs_human", f"{reason}; it may still take effect")
    return Ending("failed", f"{reason}; nothing was rotated")


def _brake_ending(action: ActionRow, run: Run, step: Step, reason: str, *, final: bool, now: float) -> Ending:
    """Return the ending of a kind without an irreversible step: its effect stands, may stand, or does not."""
    if run.standing:
        text = f"{reason}; done and not proven: {', '.join(run.standing)}; keep it or undo it"
        return Ending("needs_human", text, proof=replace(_proof(action, run, now), grade=None))
    if step.spec.effect is not None and not final:
        return Ending("needs_human", f"{reason}; {step.spec.effect} may still take effect")
    return Ending("failed", f"{reason}; nothing was changed")


def _proof(action: ActionRow, run: Run, now: float) -> Proof:
    state = run.state
    rotated = state.get("rotated_at")
    checks = run.checks
    return Proof(
        grade=grade(
            checks,
            pooled=bool(state.get("pooled")),
            tried_old=bool(state.get("tried_old", True)),
            without=cast("list[CheckName]", state.get("without") or []),
        ),
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
