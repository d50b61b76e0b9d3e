"""Containment: what it is worth, which configured targets a finding leads to, and the plans of both verbs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from detectors.event import Entity, Fields
from playbooks.naming import MAX_LINES, MAX_TARGETS, Named
from playbooks.page import plain
from playbooks.plan import SCHEMA
from playbooks.playbook import Playbook
from playbooks.policy import Policy
from playbooks.ports import StepSpec
from playbooks.proof import Check, CheckName, Grade
from playbooks.target import TargetRef, instance_of

CONTAIN: Final = "contain.workload"
RELEASE: Final = "release.workload"
NEEDED: Final[tuple[CheckName, ...]] = ("object_stands", "selects_exactly", "nothing_overrides")
RELEASE_DEADLINE_S: Final = 600.0
RELEASE_AGAIN_S: Final = (900.0, 1800.0, 3600.0, 7200.0)
"""Seconds until a release that failed is tried as a new action; after the last one, only people can."""
_SHOWN: Final = 80
_ROLES: Final = frozenset({"actor", "target"})
_LEADS: Final[Mapping[str, str]] = {
    "pod": "network_quarantine",
    "workload": "network_quarantine",
    "service_account": "mesh_deny",
}


@runtime_checkable
class Releasing(Protocol):
    """A handler whose effect ends by an action of its own, with the steps of `undo_steps`."""

    def undo_steps(self, target: TargetRef) -> Sequence[StepSpec]:
        """Return the steps of the release."""
        ...


@dataclass(frozen=True, slots=True)
class Release:
    """The end of a containment: when (seconds, UTC), and the state that its steps need."""

    at: float
    state: Fields


def containment_grade(checks: Sequence[Check]) -> Grade | None:
    """Return C when everything that the API server can say has been seen, None otherwise.

    Never better: the API server keeps a policy, a network plug-in or a proxy enforces it, and neither of
    them is asked here. So a containment is told as standing, not as proven (contracts, section 5).
    """
    by_name: Mapping[str, Check] = {check.name: check for check in checks}
    held = all(name in by_name and by_name[name].passed for name in NEEDED)
    return "C" if held else None


def containments_for(
    entities: Sequence[Entity], targets: Sequence[TargetRef], own: Collection[tuple[str, str]] = ()
) -> Named:
    """Return what of `entities` may be cut off, and a line for each that has no target.

    A workload of an event has a namespace and a name, no kind: it fits the targets that name a kind of
    workload of its namespace, if they are of one kind. Nothing is said when no containment is configured.
    """
    if not targets:
        return Named()
    found: dict[str, TargetRef] = {}
    missing: dict[str, None] = {}
    for entity in entities:
        kind = _LEADS.get(entity.type)
        if kind is None or entity.role not in _ROLES or (entity.type, entity.id) in own:
            continue
        try:
            reached = _reached(entity, [target for target in targets if target.kind == kind])
        except ValueError as error:
            missing[f"{entity.type} {plain(entity.id)[:_SHOWN]} {error}"] = None
        else:
            found[reached.key] = reached
    return Named(tuple(found.values())[:MAX_TARGETS], tuple(missing)[:MAX_LINES])


def _reached(entity: Entity, targets: Sequence[TargetRef]) -> TargetRef:
    """Return the one target that `entity` means. Raises ValueError with what is missing."""
    namespace, slash, name = entity.id.partition("/")
    kind = _LEADS[entity.type]
    if not slash or not name or "/" in name:
        raise ValueError("is no name in a namespace, so it is not cut off")
    here = [target for target in targets if target.mount == namespace]
    if entity.type == "service_account":
        fitting = [target for target in here if target.name == name]
    else:
        here = [target for target in here if (target.base == "pod") == (entity.type == "pod")]
        fitting = [target for target in here if target.instance == name]
        fitting = fitting or [instance_of(target, name) for target in here if not target.instance]
    if len(fitting) != 1:
        words = "fits several targets" if fitting else "has no target"
        raise ValueError(f"{words} of kind {kind} in response.containment.targets")
    return fitting[0]


def containment_plan(
    target: TargetRef, policy: Policy, playbook: Playbook | None, *, epoch: int, incident_id: str | None
) -> Fields:
    """Return the plan to cut `target` off. It names the incident and the epoch: no approval fits another."""
    step = playbook.containment if playbook else None
    steps = policy.steps_of(target)
    asked_s = (step.deadline if step else None) or 120
    return {
        **_common(CONTAIN, target, steps, policy, epoch=epoch, incident_id=incident_id),
        "deadline_s": max(asked_s, sum(spec.deadline_s for spec in steps)),
        "undo": (step.undo if step else None) or "released by itself, or: davylamp containments release",
        "lasts_s": policy.containment_s,
        "playbook": {"id": playbook.id, "version": playbook.version} if playbook else None,
    }


def release_plan(
    target: TargetRef, policy: Policy, undoes: str, release: Release, *, epoch: int, incident_id: str | None
) -> Fields:
    """Return the plan that ends the containment of action `undoes`."""
    steps = policy.undo_steps_of(target)
    return {
        **_common(RELEASE, target, steps, policy, epoch=epoch, incident_id=incident_id),
        "deadline_s": RELEASE_DEADLINE_S,
        "undo": "none",
        "undoes": undoes,
        "state": release.state,
        "playbook": None,
    }


def _common(
    verb: str,
    target: TargetRef,
    steps: Sequence[StepSpec],
    policy: Policy,
    *,
    epoch: int,
    incident_id: str | None,
) -> Fields:
    outlook = policy.outlook_of(target)
    return {
        "schema": SCHEMA,
        "verb": verb,
        "target": {
            "kind": target.kind,
            "mount": target.mount,
            "name": target.name,
            "class": target.classification,
            "owner": target.owner,
        },
        "mode": "contain",
        "drill": False,
        "epoch": epoch,
        "incident_id": incident_id,
        "best_grade": outlook.best_grade if outlook else None,
        "irreversible": outlook.irreversible if outlook else None,
        "steps": [
            {
                "name": spec.name,
                "effect": spec.effect,
                "irreversible": spec.irreversible,
                "deadline_s": spec.deadline_s,
            }
            for spec in steps
        ],
        "policy": policy.version,
    }
