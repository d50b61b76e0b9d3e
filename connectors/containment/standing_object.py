"""The steps that all containments share: one object of the API server is made, seen standing, and released.

What differs between verbs is the object's spec and what could undermine it. The worker that runs the steps is
the rotations' (`playbooks.ports`): an intent before the call, a look before any second try.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Final, cast

from connectors.containment.mark import Mark, digest, is_ours, uid_of, unchanged, whose
from connectors.containment.tools import Tools
from connectors.kubernetes.kinds import Kind
from connectors.kubernetes.permission import Permission
from connectors.kubernetes.step_failure import KUBERNETES, at_kubernetes
from detectors.event import Fields
from detectors.finding import rfc3339
from playbooks.ports import Observation, StepContext, StepFailedError, StepResult, StepSpec
from playbooks.proof import Check, CheckName, Grade
from playbooks.target import TargetRef

_LOOK: Final = {"deadline_s": 60.0, "timeout_s": 5.0, "max_attempts": 5}


class StandingObject(ABC):
    """Implements `playbooks.ports.RotationHandler` for verbs that make one object.

    `undo_steps` are run as an action of their own at the state's `expires_at`, with the state that this one
    left. `permissions` is empty, for the vault is not asked: `rights` says what the API server must grant.
    """

    kind: str
    permissions: tuple[str, ...] = ()
    example: str
    best_grade: Grade = "C"
    irreversible: str = ""
    services: tuple[str, ...] = (KUBERNETES,)
    object_kind: Kind
    effect: str
    automatic: ClassVar[bool] = False
    """Proposed to people, whatever the settings say: it cuts off a service."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._server = tools.kubernetes

    @abstractmethod
    def refused(self, target: TargetRef) -> str | None:
        """Return why the target must never be contained, None when it may. Raises NotANameError."""

    @abstractmethod
    def rights(self, target: TargetRef) -> Sequence[Permission]:
        """Return exactly the rights that all steps and the undo need. Raises NotANameError."""

    @abstractmethod
    def place(self, target: TargetRef) -> str:
        """Return the namespace that the object lies in."""

    @abstractmethod
    def draft(self, target: TargetRef) -> tuple[Fields, list[str]]:
        """Return the object's spec and lines for people. Raises StepFailedError's causes."""

    @abstractmethod
    def overrides(self, target: TargetRef, spec: Fields) -> list[str]:
        """Return what would let traffic through all the same, one line each."""

    @classmethod
    def steps(cls, target: TargetRef) -> Sequence[StepSpec]:
        """Return the steps of the containment."""
        return (
            StepSpec("rights", None, False, **_LOOK),
            StepSpec("plan", None, False, **_LOOK),
            StepSpec("dry_run", None, False, **_LOOK),
            StepSpec("contain", cls.effect, False, **_LOOK, milestone="contained", undo=cls._undoing()),
            StepSpec("stands", None, False, **_LOOK),
            StepSpec("prove", None, False, **_LOOK),
        )

    @classmethod
    def undo_steps(cls, target: TargetRef) -> Sequence[StepSpec]:
        """Return the steps of the release."""
        return (
            StepSpec("release", cls._undoing(), False, **_LOOK),
            StepSpec("released", None, False, **_LOOK),
        )

    def dry_run(self, context: StepContext) -> list[str]:
        """Return what would be made, for the plan that people read. Raises StepFailedError."""
        target = context.target
        self._admitted(target)
        spec, lines = at_kubernetes(lambda: self.draft(target))
        mark = Mark(self.kind, target.key, "dry-run", 0.0)
        at_kubernetes(lambda: self._create(target, mark, spec, dry_run=True))
        held = at_kubernetes(lambda: self.overrides(target, spec))
        lasts = f"released after {self._tools.duration_s / 3600:g} h"
        return [f"{self.effect} {mark.name} in {self.place(target)}", *lines, *held, lasts]

    def precheck(self, step: StepSpec, context: StepContext) -> None:
        """Raise StepFailedError for a protected target or a name that is none; a release is never refused."""
        if step.name in ("release", "released"):
            at_kubernetes(lambda: self.place(context.target))
            return
        self._protected(context.target)

    def call(self, step: StepSpec, context: StepContext) -> StepResult:
        """Do one step. Raises StepFailedError; what was sent may have taken effect all the same."""
        context.still_leased(2 * step.timeout_s)
        calls = {
            "rights": self._rights,
            "plan": self._plan,
            "dry_run": self._dry_run,
            "contain": self._contain,
            "stands": self._stands,
            "prove": self._prove,
            "release": self._release,
            "released": self._released,
        }
        return calls[step.name](context)

    def observe(self, step: StepSpec, context: StepContext) -> Observation:
        """Look whether our object is there (`contain`) or is there no more (`release`)."""
        if step.name == "contain":
            found = self._found(context)
            return "not_done" if found is None else self._known(found, context)
        if step.name == "release":
            return "done" if self._to_release(context) is None else "not_done"
        return "not_done"

    def undo(self, step: StepSpec, context: StepContext) -> StepResult:
        """Release at once. Raises StepFailedError."""
        result = self._release(context)
        self._released(context)
        return result

    @classmethod
    def _undoing(cls) -> str:
        return cls.effect.replace("create", "delete")

    def _protected(self, target: TargetRef) -> None:
        why = at_kubernetes(lambda: self.refused(target))
        if why is not None:
            raise StepFailedError(f"never contained: {why}", retry=False)

    def _admitted(self, target: TargetRef) -> None:
        self._protected(target)
        missing = at_kubernetes(lambda: self._server.missing(self.rights(target)))
        if missing:
            named = "; ".join(str(one) for one in missing)
            raise StepFailedError(f"the API server lets us not: {named}", retry=False)

    def _rights(self, context: StepContext) -> StepResult:
        self._admitted(context.target)
        return StepResult(note=f"{len(self.rights(context.target))} rights are there")

    def _plan(self, context: StepContext) -> StepResult:
        spec, lines = at_kubernetes(lambda: self.draft(context.target))
        expires_at = context.now() + self._tools.duration_s
        state = {
            "spec": spec,
            "digest": digest(spec),
            "action_id": context.action_id,
            "expires_at": expires_at,
        }
        return StepResult(state, note="; ".join([*lines, f"until {rfc3339(expires_at)}"]))

    def _dry_run(self, context: StepContext) -> StepResult:
        if self._found(context) is None:
            spec = cast(Fields, context.state["spec"])
            at_kubernetes(lambda: self._create(context.target, self._mark(context), spec, dry_run=True))
        return StepResult(note="the API server would take it")

    def _contain(self, context: StepContext) -> StepResult:
        context.still_leased(2 * _LOOK["timeout_s"])
        spec = cast(Fields, context.state["spec"])
        at_kubernetes(lambda: self._create(context.target, self._mark(context), spec))
        return StepResult(note=f"{self.object_kind.kind} {self._mark(context).name} made")

    def _stands(self, context: StepContext) -> StepResult:
        first = context.now()
        found = self._found(context)
        whole = found is not None and self._known(found, context) == "done"
        check = self._check("object_stands", whole, first, context)
        if found is None:
            raise StepFailedError("the object is not there any more", retry=False, checks=[check])
        return StepResult({"uid": uid_of(found)}, [check], "it stands as it was planned")

    def _prove(self, context: StepContext) -> StepResult:
        """Look once more: pods and policies may have changed while the object was made."""
        first = context.now()
        spec, lines = at_kubernetes(lambda: self.draft(context.target))
        exact = digest(spec) == context.state["digest"]
        over = at_kubernetes(lambda: self.overrides(context.target, spec))
        checks = [
            self._check("selects_exactly", exact, first, context),
            self._check("nothing_overrides", not over, first, context),
        ]
        if not exact:
            reason = "it stands, but what it should select has changed since"
            raise StepFailedError(reason, retry=False, checks=checks)
        if over:
            raise StepFailedError(f"it stands, but {'; '.join(over)}", retry=False, checks=checks)
        return StepResult(checks=checks, note="; ".join(lines))

    def _release(self, context: StepContext) -> StepResult:
        found = self._to_release(context)
        if found is None:
            return StepResult(note="it was gone already")
        at_kubernetes(
            lambda: self._server.delete(
                self.object_kind, self.place(context.target), self._name(context), uid=uid_of(found)
            )
        )
        return StepResult(note=f"{self.object_kind.kind} {self._name(context)} deleted")

    def _released(self, context: StepContext) -> StepResult:
        if self._to_release(context) is not None:
            raise StepFailedError("it is still there", retry=True)
        return StepResult(note="it is gone")

    def _to_release(self, context: StepContext) -> Fields | None:
        """Return our object while it is there. Raises StepFailedError for one that is not ours."""
        found = self._found(context)
        if found is None:
            return None
        action_id, uid = str(context.state.get("action_id")), context.state.get("uid")
        if not is_ours(found, action_id) or (uid is not None and uid_of(found) != uid):
            raise StepFailedError(f"not deleted: an object of {whose(found)} has the name", retry=False)
        return found

    def _known(self, found: Fields, context: StepContext) -> Observation:
        """Return done for our own whole object. Raises StepFailedError for any other."""
        if not is_ours(found, context.action_id):
            raise StepFailedError(f"contained already by {whose(found)}", retry=False)
        if not unchanged(found, str(context.state["digest"])):
            raise StepFailedError("our object was changed by somebody else", retry=False)
        return "done"

    def _found(self, context: StepContext) -> Fields | None:
        target, name = context.target, self._name(context)
        return at_kubernetes(lambda: self._server.find(self.object_kind, self.place(target), name))

    def _create(self, target: TargetRef, mark: Mark, spec: Fields, *, dry_run: bool = False) -> Fields:
        place = self.place(target)
        body: Fields = {
            "apiVersion": self.object_kind.api_version,
            "kind": self.object_kind.kind,
            "metadata": mark.metadata(place, spec),
            "spec": spec,
        }
        return self._server.create(self.object_kind, place, body, dry_run=dry_run)

    def _name(self, context: StepContext) -> str:
        return Mark(self.kind, context.target.key, "", 0.0).name

    def _mark(self, context: StepContext) -> Mark:
        expires_at = float(cast(float, context.state["expires_at"]))
        return Mark(self.kind, context.target.key, context.action_id, expires_at)

    def _check(self, name: CheckName, passed: bool, first: float, context: StepContext) -> Check:
        code = "200" if passed else "differs"
        return Check(name, passed, 1, first, context.now(), "kubernetes API server", code)
