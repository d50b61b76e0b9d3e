"""What every rotation through the vault shares: its targets, its fitness to start, its steps by name.

A kind is one file: a model of its targets (`VaultTarget`), a class on top of `VaultHandler`, ``HANDLER``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from string import Template
from typing import Any, ClassVar, Final, Generic, Self, TypeAlias, TypeVar

from pydantic import ConfigDict, Field

from config.errors import ConfigurationError, Problem
from config.response import Target
from config.settings import Settings
from connectors.rotation.failing import guarded
from connectors.rotation.tools import Tools
from connectors.vault.capabilities import Right, missing, right
from connectors.vault.client import clock_skew
from connectors.vault.error import VaultAwayError
from playbooks.ports import Observation, StepContext, StepFailedError, StepResult, StepSpec
from playbooks.proof import Grade
from playbooks.target import TargetRef

MAX_SKEW_S: Final = 30.0
COMMON: Final = (
    'path "sys/capabilities-self" { capabilities = ["update"] }',
    'path "auth/token/lookup-self" { capabilities = ["read"] }',
)
VAULT_PATH: Final = r"^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$"
VAULT_NAME: Final = r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$"
VAULT_NAME_OR_NONE: Final = r"^([A-Za-z0-9_-][A-Za-z0-9._-]{0,127})?$"


class VaultTarget(Target):
    """A target in the vault: its mount and name can stand in a path. Keys that no kind knows are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    mount: str = Field(default="database", pattern=VAULT_PATH, max_length=128)
    name: str = Field(pattern=VAULT_NAME)


T = TypeVar("T", bound=VaultTarget)
Work: TypeAlias = "Callable[[T, StepContext], StepResult]"


def stanzas(templates: Sequence[str], target: Target, settings: Settings) -> Sequence[str]:
    """Return a kind's permissions filled in for `target`, with those that every kind needs (`COMMON`).

    ``$field`` is the target's own field; a line that names a field which the target leaves empty is left out.
    """
    own = {name: str(value) for name, value in target if isinstance(value, str | int) and value != ""}
    known = own | {"escrow_mount": settings.vault.escrow_mount, "escrow_key": settings.vault.escrow_key}
    filled = [(text, Template(text)) for text in (*templates, *COMMON)]
    return [text.substitute(known) for _, text in filled if known.keys() >= set(text.get_identifiers())]


class VaultHandler(ABC, Generic[T]):
    """Implements `playbooks.ports.RotationHandler`. A kind says its steps and how each is done (`works`)."""

    kind: str
    permissions: tuple[str, ...]
    example: str
    best_grade: Grade
    irreversible: str
    services: tuple[str, ...] = ("vault",)
    STEPS: ClassVar[tuple[StepSpec, ...]]
    TARGET: ClassVar[type[VaultTarget]]

    def __init__(self, targets: Mapping[str, T], tools: Tools) -> None:
        self.targets = targets
        self.tools = tools
        self.vault = tools.vault
        self.escrow = (tools.settings.vault.escrow_mount, tools.settings.vault.escrow_key)

    @classmethod
    def from_settings(cls, tools: Tools) -> Self:
        """Return the handler of all targets of this kind. Raises ConfigurationError naming the wrong ones."""
        targets: dict[str, Any] = {}
        problems: list[Problem] = []
        for index, target in enumerate(tools.settings.response.targets):
            if isinstance(target, cls.TARGET) and target.kind == cls.kind:
                targets[target.key] = target
                problems += [
                    Problem(f"target {target.name}", f"response.targets.{index}.{key}", text)
                    for key, text in cls.unprovable(target).items()  # pyright: ignore[reportArgumentType]
                ]
        if problems:
            raise ConfigurationError(problems)
        return cls(targets, tools)

    @classmethod
    def unprovable(cls, target: T) -> Mapping[str, str]:
        """Return key -> what is wrong, for settings without which no proof of `target` can be made."""
        return {}

    @abstractmethod
    def works(self) -> Mapping[str, Work[T]]:
        """Return step name -> what does it."""

    @abstractmethod
    def outlook(self, target: T, context: StepContext) -> Sequence[str]:
        """Return the lines of a dry run: what is there now and what would be changed."""

    def ready(self, target: T, context: StepContext) -> None:
        """Raise unless the kind's own conditions hold; asked before the first step and by a dry run."""

    def steps(self, target: TargetRef) -> Sequence[StepSpec]:
        """Return the steps in order."""
        return self.STEPS

    def precheck(self, step: StepSpec, context: StepContext) -> None:
        """Raise StepFailedError unless vault, clock, rights and target are fit: before the first step."""
        if step.name == self.STEPS[0].name:
            self._fit(context)

    def dry_run(self, context: StepContext) -> Sequence[str]:
        """Return what a rotation would change now; changes nothing. Raises StepFailedError as a precheck."""
        self._fit(context)
        target = self.target(context)
        return guarded(lambda: self.outlook(target, context))

    def call(self, step: StepSpec, context: StepContext) -> StepResult:
        """Do one step. Raises StepFailedError; what was sent may have taken effect all the same."""
        target = self.target(context)
        work = self.works()[step.name]
        context.still_leased(2 * step.timeout_s)
        return guarded(lambda: work(target, context))

    def stands(self, target: T, context: StepContext) -> bool:
        """Return whether what was proven still is so; asked after a call that landed without a lease."""
        return False

    def observe(self, step: StepSpec, context: StepContext) -> Observation:
        """Say whether the last step's proof stands. Other steps look for themselves before they change
        anything, so they are "not_done".
        """
        if step.name != self.STEPS[-1].name or context.state.get("rotated_at") is None:
            return "not_done"
        target = self.target(context)
        return "done" if guarded(lambda: self.stands(target, context)) else "not_done"

    def undo(self, step: StepSpec, context: StepContext) -> StepResult:
        """Take nothing back. Raises StepFailedError: kinds with a step that can be undone say how."""
        raise StepFailedError(f"{step.name} cannot be taken back: {self.irreversible}", retry=False)

    def spec(self, name: str) -> StepSpec:
        """Return the step called `name`. Raises KeyError."""
        return {step.name: step for step in self.STEPS}[name]

    def target(self, context: StepContext) -> T:
        """Return the configured target. Raises StepFailedError when it is no longer there."""
        found = self.targets.get(context.target.base_key)
        if found is None:
            raise StepFailedError("the target is no longer configured", retry=False)
        return found

    def _fit(self, context: StepContext) -> None:
        target = self.target(context)
        guarded(lambda: self._vault_is_fit(context))
        guarded(lambda: self._may(target))
        guarded(lambda: self.ready(target, context))

    def _vault_is_fit(self, context: StepContext) -> None:
        health = self.vault.health()
        if health.sealed or health.standby:
            raise VaultAwayError("sealed" if health.sealed else "standby", "GET sys/health")
        skew = clock_skew(health, context.now())
        if abs(skew) > MAX_SKEW_S:
            raise StepFailedError(f"the vault's clock differs by {skew:.0f} s from ours", retry=False)

    def _may(self, target: T) -> None:
        rights: Sequence[Right] = [
            right(line) for line in stanzas(self.permissions, target, self.tools.settings)
        ]
        lacking = missing(self.vault, rights)
        if lacking:
            text = f"the vault's policy lacks {', '.join(lacking[:8])}"
            raise StepFailedError(text, retry=False)
