"""The plan of an action: the exact thing that people approve, as canonical JSON with a digest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from detectors.event import Fields
from detectors.finding import rfc3339
from playbooks.playbook import Playbook, PlaybookStep
from playbooks.policy import Policy
from playbooks.ports import StepSpec
from playbooks.schedule import Routine
from playbooks.target import TargetRef

SCHEMA: Final = "davylamp.plan/1"
ROTATE: Final = "rotate.credential"


def rotation_plan(
    target: TargetRef,
    policy: Policy,
    playbook: Playbook | None,
    *,
    epoch: int,
    incident_id: str | None,
    drill: bool = False,
    routine: Routine | None = None,
) -> Fields:
    """Return the plan to rotate `target`. It names the incident and the epoch: no approval fits another.

    A `routine` rotation names its schedule, since when it is due, and its own mode.
    """
    step = playbook.rotation if playbook else None
    specs = policy.steps_of(target)
    outlook = policy.outlook_of(target)
    origin: Fields = {"schedule": routine.schedule, "due": rfc3339(routine.at)} if routine else {}
    return {
        **origin,
        "schema": SCHEMA,
        "verb": ROTATE,
        "target": {
            "kind": target.kind,
            "mount": target.mount,
            "name": target.name,
            "class": target.classification,
            "owner": target.owner,
        },
        "mode": routine.mode if routine else mode_of(step),
        "drill": drill,
        "epoch": epoch,
        "incident_id": incident_id,
        "deadline_s": deadline_of(step, specs),
        "undo": (step.undo if step else None) or "none",
        "best_grade": outlook.best_grade if outlook else None,
        "irreversible": outlook.irreversible if outlook else None,
        "steps": [
            {
                "name": spec.name,
                "effect": spec.effect,
                "irreversible": spec.irreversible,
                "deadline_s": spec.deadline_s,
            }
            for spec in specs
        ],
        "playbook": {"id": playbook.id, "version": playbook.version} if playbook else None,
        "policy": policy.version,
    }


def deadline_of(step: PlaybookStep | None, specs: Sequence[StepSpec]) -> float:
    """Return the action's seconds: the playbook's, and never less than all steps may take together."""
    return max((step.deadline if step else None) or 120, sum(spec.deadline_s for spec in specs))


def mode_of(step: PlaybookStep | None) -> str:
    """Return the rotation's mode; containment when the playbook says nothing."""
    return (step.mode if step else None) or "contain"


def rotating(playbooks: Sequence[Playbook], kind: str = "") -> Playbook | None:
    """Return the playbook that a drill or a schedule follows for a target of `kind`.

    The page of that kind; without one the first that rotates a credential.
    """
    able = [playbook for playbook in playbooks if playbook.rotation is not None]
    return next((playbook for playbook in able if kind in playbook.kinds), able[0] if able else None)
