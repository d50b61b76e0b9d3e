"""What the outside world must satisfy. Connectors implement these; `daemon/wiring.py` joins them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from config.consumers import ConsumerEntry
from detectors.event import Fields
from playbooks.consumers import Side, Sighting
from playbooks.convergence import Convergence
from playbooks.proof import Check, Grade
from playbooks.target import TargetRef

Clock: TypeAlias = Callable[[], float]
Observation: TypeAlias = Literal["done", "not_done", "unknown"]
Milestone: TypeAlias = Literal["rotated", "contained"]


def _empty() -> Fields:
    return {}


@dataclass(frozen=True, slots=True)
class StepSpec:
    """One step of a rotation. `effect` names what changes outside; None means it only looks.

    `deadline_s` bounds the step over all its attempts; `timeout_s` bounds one external call. `milestone` is
    what the incident's clock reads once the step is done. `undo` says how `RotationHandler.undo` takes the
    effect back, None that there is nothing to take back, or no way.
    """

    name: str
    effect: str | None
    irreversible: bool
    deadline_s: float
    timeout_s: float
    max_attempts: int
    milestone: Milestone | None = None
    undo: str | None = None


@dataclass(slots=True)
class StepContext:
    """What a handler gets for each step. `state` is kept in SQL between steps: JSON, no plaintext secret.

    `attempt` counts from 1. `now` is the worker's clock (seconds, UTC), for intents and checks only.
    `kept` is what the last attempt of this step left with its failure; `forced` names the consumers that
    people agreed to cut off.
    """

    target: TargetRef
    action_id: str
    mode: Literal["contain", "orderly"]
    attempt: int
    now: Clock
    state: Fields = field(default_factory=_empty)
    still_leased: Callable[[float], bool] = lambda _needed_s: True
    kept: Fields = field(default_factory=_empty)
    forced: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step left: state to keep, checks for the proof, a line for the timeline."""

    state: Mapping[str, object] = field(default_factory=dict[str, object])
    checks: Sequence[Check] = ()
    note: str = ""


class StepFailedError(Exception):
    """A step failed for good (`retry` false) or for now; the text has no secret in it."""

    def __init__(
        self,
        reason: str,
        *,
        retry: bool,
        unavailable: str | None = None,
        checks: Sequence[Check] = (),
        kept: Mapping[str, object] | None = None,
        person: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry = retry
        self.kept = kept
        """What the next attempt is given (`StepContext.kept`): JSON, no secret; None: as it was."""
        self.person = person
        """Whether a person decides what now (needs_human); what was done stays as it is."""
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
    """How one kind of credential is rotated and proven. Stateless; methods may block (run in a thread).

    `permissions` is the least vault policy; `best_grade` what a proof can reach at most; `irreversible`
    says what cannot be taken back, empty when everything can; `services` names the outside systems that are
    told as away when ``StepFailedError.unavailable`` names one; a wait for anything else is the action's.
    """

    kind: str
    permissions: tuple[str, ...]
    example: str
    best_grade: Grade
    irreversible: str
    services: tuple[str, ...]

    def steps(self, target: TargetRef) -> Sequence[StepSpec]:
        """Return the steps in order: the plan that people approve."""
        ...

    def precheck(self, step: StepSpec, context: StepContext) -> None:
        """Raise StepFailedError if the step must not start."""
        ...

    def dry_run(self, context: StepContext) -> Sequence[str]:
        """Return what a rotation would change now, a line each; only looks. Raises StepFailedError."""
        ...

    def call(self, step: StepSpec, context: StepContext) -> StepResult:
        """Do the step. Raises StepFailedError. May have happened even when it raises."""
        ...

    def observe(self, step: StepSpec, context: StepContext) -> Observation:
        """Look whether an earlier, possibly lost call of this step took effect. Asked before any retry.

        "done" ends the step with neither state nor checks: a step whose result later steps need says
        "not_done" and reconciles in `call`.
        """
        ...

    def undo(self, step: StepSpec, context: StepContext) -> StepResult:
        """Take a done step's effect back, for steps that say `undo`; repeatable. Raises StepFailedError."""
        ...


class ConsumerWatch(Protocol):
    """Who uses a credential: from an inventory, and from what the vault's audit log told. May block."""

    def inventory(self, target: TargetRef) -> Sequence[ConsumerEntry]:
        """Return the consumers that the operator wrote down."""
        ...

    def reads(self, credential: tuple[str, str], side: Side, since: float) -> Sequence[Sighting]:
        """Return the last read by each reader of `credential` (entity type, id) from `since` on.

        `since` is seconds, UTC. Davylamp's own reads are left out. Raises StepFailedError when nobody can
        tell now.
        """
        ...


@runtime_checkable
class ConsumersKnown(Protocol):
    """A handler that can say who uses a target's credentials now (`davylamp targets consumers`)."""

    def consumers(self, context: StepContext) -> ConsumersNow:
        """Return who was seen with which of the target's credentials; only looks. Raises StepFailedError."""
        ...


@dataclass(frozen=True, slots=True)
class ConsumersNow:
    """Who uses what now. `old` names the credential in use, `new` (may be empty) where consumers move to."""

    old: str
    new: str
    convergence: Convergence


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
