"""What the outside world must satisfy. Connectors implement these; `daemon/wiring.py` joins them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from detectors.event import Fields
from playbooks.proof import Check
from playbooks.target import TargetRef

Clock: TypeAlias = Callable[[], float]
Observation: TypeAlias = Literal["done", "not_done", "unknown"]


def _empty() -> Fields:
    return {}


@dataclass(frozen=True, slots=True)
class StepSpec:
    """One step of a rotation. `effect` names what changes outside; None means it only looks.

    `deadline_s` bounds the step over all its attempts; `timeout_s` bounds one external call.
    """

    name: str
    effect: str | None
    irreversible: bool
    deadline_s: float
    timeout_s: float
    max_attempts: int


@dataclass(slots=True)
class StepContext:
    """What a handler gets for each step. `state` is kept in SQL between steps: JSON, no plaintext secret.

    `attempt` counts from 1. `now` is the worker's clock (seconds, UTC), for intents and checks only.
    """

    target: TargetRef
    action_id: str
    mode: Literal["contain", "orderly"]
    attempt: int
    now: Clock
    state: Fields = field(default_factory=_empty)
    still_leased: Callable[[float], bool] = lambda _needed_s: True


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step left: state to keep, checks for the proof, a line for the timeline."""

    state: Mapping[str, object] = field(default_factory=dict[str, object])
    checks: Sequence[Check] = ()
    note: str = ""


class StepFailedError(Exception):
    """A step failed for good (`retry` false) or for now; the text has no secret in it."""

    def __init__(
        self, reason: str, *, retry: bool, unavailable: str | None = None, checks: Sequence[Check] = ()
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry = retry
        self.unavailable = unavailable
        """The outside system that is away ("vault", "database"), or None."""
        self.checks = tuple(checks)
        """The checks that did not pass: a failed proof shows them."""


class MovedOnError(StepFailedError):
    """The credential changed again after it was recorded (a late call): prove from step `again_from` on."""

    def __init__(self, reason: str, *, again_from: str) -> None:
        super().__init__(reason, retry=True)
        self.again_from = again_from


class RotationHandler(Protocol):
    """How one kind of credential is rotated and proven. Stateless; methods may block (run in a thread)."""

    kind: str
    permissions: tuple[str, ...]
    example: str

    def steps(self, target: TargetRef) -> Sequence[StepSpec]:
        """Return the steps in order."""
        ...

    def precheck(self, step: StepSpec, context: StepContext) -> None:
        """Raise StepFailedError if the step must not start."""
        ...

    def call(self, step: StepSpec, context: StepContext) -> StepResult:
        """Do the step. Raises StepFailedError. May have happened even when it raises."""
        ...

    def observe(self, step: StepSpec, context: StepContext) -> Observation:
        """Look whether an earlier, possibly lost call of this step took effect. Asked before any retry."""
        ...


class Notifier(Protocol):
    """Tells people. `send` raises NotDeliveredError; the ledger makes it once per (incident, state)."""

    name: str

    def wants(self, level: str) -> bool:
        """Return whether an incident of this level goes to this notifier."""
        ...

    def send(self, notification_id: str, message: Fields) -> None:
        """Deliver one message; `notification_id` goes along as the idempotency key."""
        ...


class NotDeliveredError(Exception):
    """A notifier could not deliver; `retry` says whether trying again makes sense."""

    def __init__(self, reason: str, *, retry: bool) -> None:
        super().__init__(reason)
        self.retry = retry
