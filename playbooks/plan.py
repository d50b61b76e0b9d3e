"""The plan of an action: the exact thing that people approve, as canonical JSON with a digest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from detectors.event import Fields
from playbooks.playbook import Playbook, PlaybookStep
from playbooks.policy import Policy
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
) -> Fields:
    """Return the plan to rotate `target`. It names the incident and the epoch: no approval fits another."""
    step = playbook.rotation if playbook else None
    return {
        "schema": SCHEMA,
        "verb": ROTATE,
        "target": {
            "kind": target.kind,
            "mount": target.mount,
            "name": target.name,
            "class": target.classification,
            "owner": target.owner,
        },
        "mode": mode_of(step),
        "drill": drill,
        "epoch": epoch,
        "incident_id": incident_id,
        "deadline_s": (step.deadline if step else None) or 120,
        "undo": (step.undo if step else None) or "none",
        "steps": [
            {
                "name": spec.name,
                "effect": spec.effect,
                "irreversible": spec.irreversible,
                "deadline_s": spec.deadline_s,
            }
            for spec in policy.steps_of(target)
        ],
        "playbook": {"id": playbook.id, "version": playbook.version} if playbook else None,
        "policy": policy.version,
    }


def mode_of(step: PlaybookStep | None) -> str:
    """Return the rotation's mode; containment when the playbook says nothing."""
    return (step.mode if step else None) or "contain"


def rotating(playbooks: Sequence[Playbook]) -> Playbook | None:
    """Return the playbook that a drill follows: the first that rotates a credential."""
    return next((playbook for playbook in playbooks if playbook.rotation is not None), None)
