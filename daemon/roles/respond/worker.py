"""Does the actions: one step after the other, each with its intent written before anything is sent.

A step that an earlier worker began is looked at before it is done again (`observe`). A wait for the outside
gives the action back with a time (parked), so that one absent database never holds up the rotation of
another's credential. Nothing here knows what a credential is: that is the handler's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, Protocol, TypeAlias

from connectors.store import forcing
from connectors.store.actions import ActionStore
from connectors.store.error import StoreError
from connectors.store.finishing import Ending, finish
from connectors.store.leases import Lease, LeaseLostError
from daemon.roles.respond.heartbeat import Heartbeat
from daemon.roles.respond.progress import Run, Step
from daemon.roles.respond.verdict import failed_ending, proven_ending, released_after, timed_out
from playbooks.action import ActionState
from playbooks.containment import RELEASE, Releasing
from playbooks.policy import Policy
from playbooks.ports import (
    Clock,
    MovedOnError,
    RotationHandler,
    StepContext,
    StepFailedError,
    StepResult,
    StepSpec,
)

Boundary: TypeAlias = Literal[
    "before_intent", "after_intent", "before_call", "after_call", "after_commit", "before_finish"
]
MAX_AGAIN: Final = 3
_NAMES: Final = {"database": "target_database"}


class Telemetry(Protocol):
    """What the worker tells of its work; implementations must not block."""

    def dependency(self, name: str, up: bool, detail: str) -> None:
        """An outside system is up or away."""
        ...

    def finished(self, verb: str, outcome: ActionState, mode: str) -> None:
        """An action ended."""
        ...

    def late_call(self) -> None:
        """A call may have landed, or did land, without a lease."""
        ...


class StopRequestedError(Exception):
    """The process stops: the step is left where it is, the next worker looks before it goes on."""


_NOT_THE_HANDLERS: Final = (StoreError, StopRequestedError)


def _at_no_boundary(_step: str, _boundary: Boundary) -> None:
    return None


@dataclass(slots=True)
class Worker:
    """One worker; `run_once` blocks, so it runs in a thread of its own.

    `backoff(n)` gives the seconds to wait after the n-th failure. `policy()` is the policy of this moment.
    `boundary` is told where in a step the worker is, for tests that end it there.
    """

    name: str
    store: ActionStore
    handlers: Mapping[str, RotationHandler]
    clock: Clock
    lease_s: float
    backoff: Callable[[int], float]
    policy: Callable[[], Policy]
    stopping: Callable[[], bool]
    telemetry: Telemetry
    boundary: Callable[[str, Boundary], None] = field(default=_at_no_boundary)

    def run_once(self) -> bool:
        """Work on one action as far as it goes now; return whether there was one. Raises StoreAwayError."""
        lease = self.store.claim(self.name, self.clock(), self.lease_s)
        if lease is None:
            return False
        with Heartbeat(self.store, lease, self.clock, self.lease_s):
            try:
                self._work(lease)
            except LeaseLostError:
                return True
            except StopRequestedError:
                self.store.park(lease, self.clock())
        return True

    def _work(self, lease: Lease) -> None:
        handler = self.handlers.get(lease.action.target.kind)
        if handler is None:
            self._end(lease, Ending("failed", f"no handler for kind {lease.action.target.kind}"))
            return
        specs = _specs(handler, lease)
        if specs is None:
            self._end(lease, Ending("failed", f"kind {lease.action.target.kind} has nothing to release"))
            return
        run = Run.of(lease, specs)
        for step in run.steps:
            if step.done:
                continue
            ending = self._step(lease, handler, run, step)
            if ending == "parked":
                return
            if ending is not None:
                ending = released_after(lease.action, run, self._taken_back(lease, handler, run, ending))
                self._end(lease, ending)
                return
        self.boundary("finish", "before_finish")
        self._end(lease, released_after(lease.action, run, proven_ending(lease.action, run, self.clock())))

    def _step(
        self, lease: Lease, handler: RotationHandler, run: Run, step: Step
    ) -> Ending | Literal["parked"] | None:
        """Do one step; return None when it is done, "parked" when it waits, or how the action ends."""
        if self.stopping():
            raise StopRequestedError
        over = timed_out(lease.action, step, self.clock())
        if over is not None:
            return failed_ending(lease.action, run, step, over, final=False, now=self.clock())
        begun = bool(run.standing) if run.brake else run.effective
        if not begun and self._halted(lease):
            stopped = self._stopped(lease, handler, run, step)
            if stopped is not None:
                return stopped
        self.boundary(step.name, "before_intent")
        step.begin(self.clock())
        attempt = self.store.intend(lease, step.ordinal, step.name, self.clock(), step.context)
        self.boundary(step.name, "after_intent")
        try:
            result = self._call(lease, handler, run, step, attempt)
        except MovedOnError as error:
            return self._again(lease, run, step, error)
        except StepFailedError as error:
            return self._failed(lease, handler, run, step, error, attempt)
        except _NOT_THE_HANDLERS:
            raise
        except Exception as error:
            # A fault in one handler must not stop the others; its text may hold a secret, its kind does not.
            kind = type(error).__name__
            fault = StepFailedError(f"{step.name}: fault: {kind}", retry=False)
            return self._failed(lease, handler, run, step, fault, attempt)
        self._complete(lease, handler, run, step, result)
        return None

    def _call(self, lease: Lease, handler: RotationHandler, run: Run, step: Step, attempt: int) -> StepResult:
        context = self._context(lease, run, attempt)
        context.kept = step.kept
        if step.kept:
            context.forced = forcing.agreed(self.store.database, lease.action.id, self.policy())
        handler.precheck(step.spec, context)
        if step.spec.effect is not None and handler.observe(step.spec, context) == "done":
            return StepResult(note=f"{step.spec.effect}: had taken effect before this attempt")
        self.boundary(step.name, "before_call")
        return handler.call(step.spec, context)

    def _complete(
        self, lease: Lease, handler: RotationHandler, run: Run, step: Step, result: StepResult
    ) -> None:
        self.boundary(step.name, "after_call")
        step.finish(result)
        for name in handler.services:
            self.telemetry.dependency(_NAMES.get(name, name), True, "")
        verifying: ActionState | None = "verifying" if step.effective and not run.effective else None
        try:
            self.store.complete(
                lease,
                step.ordinal,
                self.clock(),
                step.context,
                step.checks,
                result.note,
                step.escrow,
                state=verifying,
                milestone=step.spec.milestone,
            )
        except LeaseLostError:
            self._late(lease, handler, step)
            raise
        self.boundary(step.name, "after_commit")

    def _failed(
        self,
        lease: Lease,
        handler: RotationHandler,
        run: Run,
        step: Step,
        error: StepFailedError,
        attempt: int,
    ) -> Ending | Literal["parked"]:
        now = self.clock()
        step.failed(error, now)
        if error.unavailable is not None and error.unavailable in handler.services:
            name = _NAMES.get(error.unavailable, error.unavailable)
            self.telemetry.dependency(name, False, error.reason)
        try:
            self.store.attempt_failed(
                lease, step.ordinal, now, step.context, error.reason, tell=step.first_failure
            )
        except LeaseLostError:
            self._late(lease, handler, step)
            raise
        if error.person:
            return Ending("needs_human", error.reason)
        if error.retry and (error.unavailable is not None or step.failures < step.spec.max_attempts):
            wait_s = self.backoff(step.tries)
            away_s = wait_s + step.attempt_s(now) if error.unavailable is not None else 0.0
            self.store.park(lease, now + wait_s, not_counted_s=away_s)
            return "parked"
        final = not error.retry and not (attempt > 1 and _may_stand(run, step))
        return failed_ending(lease.action, run, step, error.reason, final=final, now=now)

    def _stopped(self, lease: Lease, handler: RotationHandler, run: Run, step: Step) -> Ending | None:
        """Return how the kill switch ends the action, or None when its effect stands and must be proven.

        An attempt that was intended may have taken effect, or may yet: its worker did not live to tell.
        """
        if step.state != "intended" or not _may_stand(run, step):
            left = "nothing was changed" if run.brake else "nothing was rotated"
            return Ending("cancelled", f"the kill switch is on: {left}")
        try:
            stands = handler.observe(step.spec, self._context(lease, run, 2)) == "done"
        except StepFailedError:
            stands = False
        if stands:
            return None
        return failed_ending(lease.action, run, step, "the kill switch is on", final=False, now=self.clock())

    def _again(self, lease: Lease, run: Run, step: Step, error: MovedOnError) -> Ending | Literal["parked"]:
        """The credential moved after it was recorded: count it, prove the epoch again."""
        self.telemetry.late_call()
        first = run.named(error.again_from)
        if first.again >= MAX_AGAIN:
            return failed_ending(lease.action, run, step, error.reason, final=False, now=self.clock())
        self.store.go_back(lease, first.ordinal, self.clock(), error.reason)
        self.store.park(lease, self.clock())
        return "parked"

    def _taken_back(self, lease: Lease, handler: RotationHandler, run: Run, ending: Ending) -> Ending:
        """Undo what done steps left, latest first, when the credential that they led to was not changed.

        A kind that changes nothing for good (a brake) is left as it is: its effect is what was asked for.
        """
        if ending.state not in ("failed", "cancelled") or run.effective or run.brake:
            return ending
        for step in reversed(run.steps):
            if not step.done or step.spec.undo is None:
                continue
            try:
                result = handler.undo(step.spec, self._context(lease, run, 1))
            except StepFailedError as error:
                reason = f"{ending.reason}; {step.name} could not be taken back: {error.reason}"
                return Ending("needs_human", reason)
            ending = replace(ending, reason=f"{ending.reason}; {result.note or step.spec.undo}")
        return ending

    def _late(self, lease: Lease, handler: RotationHandler, step: Step) -> None:
        """Our lease went while a call was out: whoever took over may not have seen what it did."""
        if not step.effective:
            return
        self.telemetry.late_call()
        self.store.report_late_call(lease, step.ordinal, step.name, self.clock())
        specs = handler.steps(lease.action.target)
        now_known = Run.of(replace(lease, steps=self.store.steps_of(lease.action.id)), specs)
        last = now_known.steps[-1]
        if not last.done:
            return
        context = self._context(lease, now_known, 1)
        try:
            stands = handler.observe(last.spec, context) == "done"
        except StepFailedError:
            stands = False
        if not stands:
            self.store.prove_again(lease.action.id, step.ordinal + 1, self.clock())

    def _context(self, lease: Lease, run: Run, attempt: int) -> StepContext:
        return StepContext(
            target=lease.action.target,
            action_id=lease.action.id,
            mode=lease.action.mode,
            attempt=attempt,
            now=self.clock,
            state=run.state,
            still_leased=lambda needed_s: self._still_leased(lease, needed_s),
        )

    def _still_leased(self, lease: Lease, needed_s: float) -> bool:
        """Return true when the lease holds for `needed_s` more. Raises LeaseLostError."""
        now = self.clock()
        if self.store.until(lease) - now < needed_s:
            self.store.renew(lease, now, max(self.lease_s, needed_s + 1.0))
        return True

    def _halted(self, lease: Lease) -> bool:
        """Return whether the kill switch is on; a release takes back, so it is not for it."""
        if lease.action.verb == RELEASE:
            return False
        return self.policy().kill_switch or self.store.halted(lease.action.verb)

    def _end(self, lease: Lease, ending: Ending) -> None:
        finish(self.store.database, lease, self.clock(), ending, self.policy())
        mode = "drill" if lease.action.drill else "auto" if lease.action.auto else "approved"
        self.telemetry.finished(lease.action.verb, ending.state, mode)


def _may_stand(run: Run, step: Step) -> bool:
    """Return whether an earlier attempt of this step may have changed what nobody takes back."""
    return step.effective or (run.brake and step.spec.effect is not None)


def _specs(handler: RotationHandler, lease: Lease) -> Sequence[StepSpec] | None:
    """Return the steps of the action's verb; None for a release of what never needs one."""
    if lease.action.verb != RELEASE:
        return handler.steps(lease.action.target)
    return handler.undo_steps(lease.action.target) if isinstance(handler, Releasing) else None
