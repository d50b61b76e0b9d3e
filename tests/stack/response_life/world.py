"""An outside world of passwords that a schedule may disturb, and the handler that rotates them in it.

It behaves as the vault's static roles do (`connectors/rotation/database_static_role.py`): to rotate is not
idempotent, a mark tells whether it happened, the old password is dead once the new one is served.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from playbooks.ports import MovedOnError, Observation, StepContext, StepFailedError, StepResult, StepSpec
from playbooks.proof import Check, CheckName, Grade
from playbooks.target import TargetRef

KIND: Final = "database_static_role"
CALL_S: Final = 5.0
PROOF_S: Final = 4.0
Answer: TypeAlias = Literal["yes", "lost", "timeout", "refused", "unfit", "away"]
ANSWERS: Final[tuple[Answer, ...]] = ("yes", "lost", "timeout", "refused", "unfit", "away")
"""What the vault says to the next rotation: lost = done, but the reply never came; timeout = not done and no
reply; refused = not done, for good; unfit = its preconditions no longer hold; away = nobody answers."""
STEPS: Final = (
    StepSpec("escrow", None, False, 60, CALL_S, 5),
    StepSpec("rotate", "rotate", True, 180, CALL_S, 6, milestone="rotated"),
    StepSpec("new_accepted", None, False, 60, CALL_S, 5),
    StepSpec("old_refused", None, False, 120, CALL_S, 3, milestone="contained"),
    StepSpec("prove", None, False, 60, CALL_S, 5),
)


@dataclass(frozen=True)
class Effect:
    """One rotation that really happened: version `old` of `target` gave way to `old` + 1."""

    target: str
    action_id: str
    old: int


@dataclass
class World:
    """Every target's version; versions in `undead` are still let in although newer ones are served."""

    served: Counter[str] = field(default_factory=Counter[str])
    effects: list[Effect] = field(default_factory=list[Effect])
    undead: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    answer: Answer = "yes"
    replicas_lag: bool = False
    call_out: Callable[[], None] = lambda: None

    def lets_in(self, target: str, version: int) -> bool:
        """Return whether a login with this version works."""
        return version == self.served[target] or (target, version) in self.undead

    def rotate(self, target: str, action_id: str) -> None:
        """Serve a new version; the one before is refused, unless replicas lag behind."""
        self.effects.append(Effect(target, action_id, self.served[target]))
        if self.replicas_lag:
            self.undead.add((target, self.served[target]))
        self.served[target] += 1

    def take_answer(self) -> Answer:
        """Return what the vault says now; the next time it says yes again."""
        said, self.answer = self.answer, "yes"
        return said


class PlayedRotation:
    """Implements `playbooks.ports.RotationHandler` in a `World`."""

    kind = KIND
    permissions: tuple[str, ...] = ()
    example = ""
    best_grade: Grade = "A"
    irreversible = "the old password is gone"
    services: tuple[str, ...] = ("vault",)

    def __init__(self, world: World) -> None:
        self._world = world

    def steps(self, target: TargetRef) -> Sequence[StepSpec]:
        """Return the steps."""
        return STEPS

    def precheck(self, step: StepSpec, context: StepContext) -> None:
        """Refuse for good when the role is no longer the configured one."""
        if step.name == "rotate" and self._world.answer == "unfit":
            self._world.take_answer()
            raise StepFailedError("the role is not the configured one", retry=False)

    def dry_run(self, context: StepContext) -> Sequence[str]:
        """Say nothing."""
        return ()

    def observe(self, step: StepSpec, context: StepContext) -> Observation:
        """Tell by the mark whether `rotate` happened, and whether what was proven still stands."""
        served = self._world.served[context.target.key]
        if step.name == "rotate":
            return "done" if served != context.state["baseline"] else "not_done"
        return "done" if step.name == "prove" and served == context.state.get("rotated") else "not_done"

    def undo(self, step: StepSpec, context: StepContext) -> StepResult:
        """Nothing here can be undone."""
        return StepResult()

    def call(self, step: StepSpec, context: StepContext) -> StepResult:
        """Do one step."""
        match step.name:
            case "escrow":
                version = self._world.served[context.target.key]
                return StepResult({"baseline": version, "escrow": f"vault:v1:{version}"})
            case "rotate":
                return self._rotate(context)
            case "new_accepted":
                return self._new_accepted(context)
            case "old_refused":
                return self._old_refused(context)
            case _:
                return self._prove(context)

    def _rotate(self, context: StepContext) -> StepResult:
        context.still_leased(2 * CALL_S)
        said = self._world.take_answer()
        if said in ("away", "timeout"):
            raise StepFailedError("no answer", retry=True, unavailable="vault" if said == "away" else None)
        if said == "refused":
            raise StepFailedError("permission denied", retry=False)
        self._world.call_out()
        self._world.rotate(context.target.key, context.action_id)
        if said == "lost":
            raise StepFailedError("the reply was lost", retry=True, unavailable="vault")
        return StepResult(note="rotated")

    def _new_accepted(self, context: StepContext) -> StepResult:
        served = self._world.served[context.target.key]
        checks = [_check("negative_control", 1, context), _check("new_accepted", 1, context)]
        return StepResult({"rotated": served, "rotated_at": context.now()}, checks)

    def _old_refused(self, context: StepContext) -> StepResult:
        old = context.state["baseline"]
        assert isinstance(old, int)
        if self._world.lets_in(context.target.key, old):
            failed = _check("old_refused", 3, context, passed=False)
            raise StepFailedError("the old password is let in", retry=True, checks=[failed])
        return StepResult(checks=[_check("old_refused", 3, context)])

    def _prove(self, context: StepContext) -> StepResult:
        if self._world.served[context.target.key] != context.state["rotated"]:
            raise MovedOnError("the password changed again", again_from="new_accepted")
        return StepResult({"escrow": None}, [_check("sessions_gone", 1, context)])


def _check(name: CheckName, attempts: int, context: StepContext, *, passed: bool = True) -> Check:
    now = context.now()
    return Check(name, passed, attempts, now - PROOF_S, now, "played", "28P01")
