"""The brake on one entity: every token of it is refused, batch tokens too, until it is enabled again.

What else stops a batch token that leaked: it cannot be revoked alone, it has no accessor, it dies with its
time or with its entity. So the entity is held; enabling it before the longest token has expired gives the
thief the token back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from pydantic import Field

from config.secret import Secret
from connectors.rotation.entity_brake import EntityBrake
from connectors.rotation.failing import guarded
from connectors.rotation.handler import VAULT_PATH, VaultHandler, VaultTarget, Work
from connectors.rotation.refusing import watch_refusals
from connectors.rotation.token_checks import OBSERVER, TokenChecks
from connectors.vault.secret_text import SecretText
from playbooks.ports import StepContext, StepFailedError, StepResult, StepSpec
from playbooks.proof import Check, CheckName, Grade

_CALL_S: Final = 5.0
_NO_SUCCESSOR: Final[list[CheckName]] = ["new_accepted"]


class VaultEntityTarget(VaultTarget):
    """An entity: `name` is its id. `leaked` is a token of it that was found and may be tried."""

    kind: str = "vault_entity"
    mount: str = Field(default="identity", pattern=VAULT_PATH, max_length=128)
    leaked: Secret = Secret()


Target = VaultEntityTarget


class VaultEntity(VaultHandler[VaultEntityTarget]):
    """Implements `playbooks.ports.RotationHandler` for kind `vault_entity`."""

    kind: str = "vault_entity"
    TARGET = VaultEntityTarget
    permissions: tuple[str, ...] = ('path "identity/entity/id/$name" { capabilities = ["read", "update"] }',)
    example: str = (
        "{kind: vault_entity, mount: identity, name: 0f4a7c1e-3d2b-4c55-9d0a-2f3b8a6f1c77, "
        "classification: internal, owner: platform}"
    )
    best_grade: Grade = "B"
    irreversible: str = ""
    STEPS: ClassVar[tuple[StepSpec, ...]] = (
        StepSpec("snapshot", None, False, deadline_s=60, timeout_s=5, max_attempts=5),
        StepSpec("negative_control", None, False, deadline_s=60, timeout_s=5, max_attempts=5),
        StepSpec(
            "brake", "entity disabled", False, 60, _CALL_S, 6, "contained", undo="the entity is enabled again"
        ),
        StepSpec("sessions_gone", None, False, deadline_s=60, timeout_s=5, max_attempts=5),
        StepSpec("old_refused", None, False, deadline_s=120, timeout_s=5, max_attempts=3),
    )

    def works(self) -> Mapping[str, Work[Target]]:
        """Return step name -> what does it."""
        return {
            "snapshot": self._snapshot,
            "negative_control": self._negative_control,
            "brake": self._brake,
            "sessions_gone": self._sessions_gone,
            "old_refused": self._old_refused,
        }

    def ready(self, target: Target, context: StepContext) -> None:
        """Raise unless the entity is there and not our own."""
        self._of(target).check()

    def stands(self, target: Target, context: StepContext) -> bool:
        """Return whether the entity still is disabled."""
        return self._of(target).check().disabled

    def outlook(self, target: Target, context: StepContext) -> Sequence[str]:
        """Say which entity is held and what that stops."""
        entity = self._of(target).check()
        stands = "is disabled already" if entity.disabled else "is disabled"
        return (
            f"entity {entity.name} {stands}: its logins and all its tokens are refused until it is enabled",
        )

    def undo(self, step: StepSpec, context: StepContext) -> StepResult:
        """Enable the entity again, unless it was disabled before this action."""
        if step.name != "brake":
            return super().undo(step, context)
        if context.state.get("was_disabled"):
            return StepResult(note="the entity was disabled before: it stays so")
        target = self.target(context)
        guarded(lambda: self._of(target).release())
        return StepResult(note="the entity is enabled again")

    def _snapshot(self, target: Target, context: StepContext) -> StepResult:
        entity = self._of(target).check()
        return StepResult({"was_disabled": entity.disabled}, note=f"entity {entity.name}")

    def _negative_control(self, target: Target, context: StepContext) -> StepResult:
        made_up = SecretText("s." + self.tools.random_password().reveal())
        check = TokenChecks(self.vault, context.now).negative_control(made_up)
        return StepResult(checks=[check], note="a made-up token is refused, ours is let in")

    def _brake(self, target: Target, context: StepContext) -> StepResult:
        context.still_leased(2 * _CALL_S)
        self._of(target).pull()
        state = {"rotated_at": self.vault.health().server_time, "without": _NO_SUCCESSOR}
        return StepResult(state, note="the entity is disabled")

    def _sessions_gone(self, target: Target, context: StepContext) -> StepResult:
        first = context.now()
        held = self._of(target).check().disabled
        check = Check(
            "sessions_gone", held, 1, first, context.now(), OBSERVER, "disabled" if held else "enabled"
        )
        if not held:
            raise StepFailedError("somebody enabled the entity again", retry=False, checks=[check])
        return StepResult(checks=[check], note="the vault refuses every token of the entity")

    def _old_refused(self, target: Target, context: StepContext) -> StepResult:
        if not target.leaked.given():
            return StepResult({"tried_old": False}, note="the token itself is not ours to try")
        checks, leaked = TokenChecks(self.vault, context.now), SecretText(target.leaked.reveal())
        check = watch_refusals(lambda: checks.attempt(leaked), context.now, self.tools, OBSERVER)
        return StepResult(checks=[check], note=f"the leaked token was refused {check.attempts} times")

    def _of(self, target: Target) -> EntityBrake:
        return EntityBrake(self.vault, target.name)


HANDLER: Final = VaultEntity
