"""How far an action is: its steps with what each of them left. Times are seconds since the epoch, UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from connectors.store.leases import Lease, StepRow
from detectors.event import Fields, Json
from playbooks.ports import StepFailedError, StepResult, StepSpec
from playbooks.proof import Check

ESCROW = "escrow"


def _number(context: Mapping[str, Json], key: str) -> float:
    value = context.get(key)
    return float(value) if isinstance(value, int | float) else 0.0


@dataclass(slots=True)
class Step:
    """One step of a run. Only attempts count against its deadline, not waits for an absent outside."""

    ordinal: int
    spec: StepSpec
    state: str = "pending"
    context: Fields = field(default_factory=dict)
    escrow: str | None = None
    checks: tuple[Check, ...] = ()
    failed_checks: tuple[Check, ...] = ()

    @property
    def name(self) -> str:
        """The step's name."""
        return self.spec.name

    @property
    def done(self) -> bool:
        """Whether the step is recorded as done."""
        return self.state == "done"

    @property
    def effective(self) -> bool:
        """Whether this step changes the credential and cannot be undone."""
        return self.spec.effect is not None and self.spec.irreversible

    @property
    def left(self) -> Fields:
        """What the step left for later ones."""
        return cast(Fields, self.context.get("state") or {})

    @property
    def kept(self) -> Fields:
        """What its last failed attempt left for the next one."""
        return cast(Fields, self.context.get("kept") or {})

    @property
    def failures(self) -> int:
        """How often it failed while the outside was there."""
        return int(_number(self.context, "failures"))

    @property
    def tries(self) -> int:
        """How often it failed in all."""
        return int(_number(self.context, "tries"))

    @property
    def again(self) -> int:
        """How often it was done again because the credential moved."""
        return int(_number(self.context, "again"))

    @property
    def first_failure(self) -> bool:
        """Whether the last failure is the first of its kind in a row: only that is told."""
        return bool(self.context.get("first_failure"))

    @property
    def used_s(self) -> float:
        """How long its failed attempts took, those without the outside left out."""
        return _number(self.context, "used_s")

    def attempt_s(self, now: float) -> float:
        """Return how long the attempt that ends now took."""
        return now - _number(self.context, "attempt_at")

    def begin(self, now: float) -> None:
        """Say that an attempt starts; a step that is to be done again starts afresh."""
        if self.state == "pending" and self.context:
            self.context = {"again": self.again + 1}
        self.state = "intended"
        self.context["attempt_at"] = now

    def failed(self, error: StepFailedError, now: float) -> None:
        """Keep why an attempt failed."""
        self.failed_checks = error.checks
        self.context["first_failure"] = self.context.get("last_reason") != error.reason
        self.context["last_reason"] = error.reason
        self.context["tries"] = self.tries + 1
        if error.kept is not None:
            self.context["kept"] = cast(Json, dict(error.kept))
        if error.unavailable is None:
            self.context["failures"] = self.failures + 1
            self.context["used_s"] = self.used_s + self.attempt_s(now)

    def finish(self, result: StepResult) -> None:
        """Take over what a successful attempt left. `escrow` goes to its own column."""
        left = dict(result.state)
        escrow = left.pop(ESCROW, None)
        self.escrow = escrow if isinstance(escrow, str) else None
        self.context["state"] = cast(Json, left)
        self.checks = tuple(result.checks)
        self.state = "done"


@dataclass(slots=True)
class Run:
    """All steps of one action, in order. `given` is what its plan handed to them."""

    steps: list[Step]
    given: Fields = field(default_factory=dict[str, Json])

    @classmethod
    def of(cls, lease: Lease, specs: Sequence[StepSpec]) -> Run:
        """Join the handler's steps with the rows that earlier attempts left."""
        rows = {row.ordinal: row for row in lease.steps}
        joined = [_joined(ordinal, spec, rows.get(ordinal)) for ordinal, spec in enumerate(specs)]
        return cls(joined, lease.action.given)

    @property
    def state(self) -> Fields:
        """What the plan gave and all done steps left, later ones last, and the escrow."""
        merged: Fields = dict(self.given)
        for step in self.steps:
            if step.done:
                merged.update(step.left)
                if step.escrow is not None:
                    merged[ESCROW] = step.escrow
        return merged

    @property
    def effective(self) -> bool:
        """Whether a step that cannot be undone is done."""
        return any(step.done and step.effective for step in self.steps)

    @property
    def brake(self) -> bool:
        """Whether this kind changes nothing for good: no step is irreversible."""
        return not any(step.effective for step in self.steps)

    @property
    def standing(self) -> tuple[str, ...]:
        """The effects of done steps, in order."""
        return tuple(step.spec.effect for step in self.steps if step.done and step.spec.effect is not None)

    @property
    def begun(self) -> bool:
        """Whether any effect was intended: it may stand, whatever became of the answer."""
        return any(step.spec.effect is not None and step.state in ("intended", "done") for step in self.steps)

    @property
    def checks(self) -> tuple[Check, ...]:
        """The last check of each name: passed ones, and those of the step that failed."""
        named: dict[str, Check] = {}
        for step in self.steps:
            for check in (*step.checks, *step.failed_checks):
                named[check.name] = check
        return tuple(named.values())

    def named(self, name: str) -> Step:
        """Return the step of this name. Raises KeyError."""
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(name)


def _joined(ordinal: int, spec: StepSpec, row: StepRow | None) -> Step:
    if row is None:
        return Step(ordinal, spec)
    return Step(ordinal, spec, row.state, dict(row.context), row.escrow, row.checks)
