"""One service token of the vault, by its accessor: revoked with its children, proven by the vault itself.

A batch token has no accessor and cannot be revoked alone: its entity is braked (`vault_entity`), or the token
that made it is revoked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from pydantic import Field

from config.secret import Secret
from connectors.rotation.handler import VAULT_PATH, VaultHandler, VaultTarget, Work
from connectors.rotation.refusing import watch_refusals
from connectors.rotation.token_checks import OBSERVER, TokenChecks
from connectors.vault import tokens
from connectors.vault.secret_text import SecretText
from playbooks.ports import StepContext, StepFailedError, StepResult, StepSpec
from playbooks.proof import CheckName, Grade

_CALL_S: Final = 5.0
_NO_SUCCESSOR: Final[list[CheckName]] = ["new_accepted"]


class VaultTokenTarget(VaultTarget):
    """Tokens that may be revoked. An action means one: ``name/accessor``. `leaked` is the token's own text,
    when it was found and may be tried.
    """

    kind: str = "vault_token"
    mount: str = Field(default="token", pattern=VAULT_PATH, max_length=128)
    leaked: Secret = Secret()


Target = VaultTokenTarget


class VaultToken(VaultHandler[VaultTokenTarget]):
    """Implements `playbooks.ports.RotationHandler` for kind `vault_token`."""

    kind: str = "vault_token"
    TARGET = VaultTokenTarget
    permissions: tuple[str, ...] = (
        'path "auth/token/lookup-accessor" { capabilities = ["update"] }',
        'path "auth/token/revoke-accessor" { capabilities = ["update"] }',
    )
    example: str = "{kind: vault_token, mount: token, name: any, classification: internal, owner: platform}"
    best_grade: Grade = "B"
    irreversible: str = "a revoked token and its children stay dead; their holder logs in again"
    STEPS: ClassVar[tuple[StepSpec, ...]] = (
        StepSpec("snapshot", None, False, deadline_s=60, timeout_s=5, max_attempts=5),
        StepSpec("negative_control", None, False, deadline_s=60, timeout_s=5, max_attempts=5),
        StepSpec("rotate", "vault token revoke", True, 60, _CALL_S, 6, milestone="rotated"),
        StepSpec("sessions_gone", None, False, 60, 5, 5, milestone="contained"),
        StepSpec("old_refused", None, False, deadline_s=120, timeout_s=5, max_attempts=3),
        StepSpec("prove", None, False, deadline_s=60, timeout_s=5, max_attempts=5),
    )

    def works(self) -> Mapping[str, Work[Target]]:
        """Return step name -> what does it."""
        return {
            "snapshot": self._snapshot,
            "negative_control": self._negative_control,
            "rotate": self._rotate,
            "sessions_gone": self._sessions_gone,
            "old_refused": self._old_refused,
            "prove": self._sessions_gone,
        }

    def ready(self, target: Target, context: StepContext) -> None:
        """Raise unless one token is meant that the vault knows and that is not ours."""
        self._meant(context)

    def stands(self, target: Target, context: StepContext) -> bool:
        """Return whether the vault still knows no such token."""
        return tokens.look_up(self.vault, context.target.instance) is None

    def outlook(self, target: Target, context: StepContext) -> Sequence[str]:
        """Say which token ends, by whom it was made, and that its children end with it."""
        info = self._meant(context)
        return (
            f"the token with accessor {info.accessor}, made by {info.path} at {info.created:.0f}, is revoked",
            "tokens and leases that it made end with it; orphans live on",
        )

    def _meant(self, context: StepContext) -> tokens.TokenInfo:
        accessor = context.target.instance
        if not accessor:
            reason = "no accessor is named; a batch token has none: brake its entity (kind vault_entity)"
            raise StepFailedError(reason, retry=False)
        if accessor == self.vault.identity().accessor:
            raise StepFailedError("this is our own token: it is never touched", retry=False)
        info = tokens.look_up(self.vault, accessor)
        if info is None:
            raise StepFailedError("the vault knows no such token: it is revoked or has expired", retry=False)
        return info

    def _snapshot(self, target: Target, context: StepContext) -> StepResult:
        info = self._meant(context)
        state = {"made_at": info.created, "made_by": info.path, "entity": info.entity, "orphan": info.orphan}
        return StepResult(state, note=f"a token made by {info.path}")

    def _negative_control(self, target: Target, context: StepContext) -> StepResult:
        made_up = SecretText("s." + self.tools.random_password().reveal())
        check = TokenChecks(self.vault, context.now).negative_control(made_up)
        return StepResult(checks=[check], note="a made-up token is refused, ours is let in")

    def _rotate(self, target: Target, context: StepContext) -> StepResult:
        """Revoke; the vault says yes again to an accessor that it no longer knows."""
        context.still_leased(2 * _CALL_S)
        tokens.revoke(self.vault, context.target.instance)
        if tokens.look_up(self.vault, context.target.instance) is not None:
            raise StepFailedError("the vault said yes but still knows the token", retry=True)
        at = self.vault.health().server_time
        return StepResult({"rotated_at": at, "without": _NO_SUCCESSOR}, note="the token is revoked")

    def _sessions_gone(self, target: Target, context: StepContext) -> StepResult:
        check = TokenChecks(self.vault, context.now).accessor_gone(context.target.instance)
        return StepResult(checks=[check], note="the vault knows no token with this accessor")

    def _old_refused(self, target: Target, context: StepContext) -> StepResult:
        if not target.leaked.given():
            return StepResult({"tried_old": False}, note="the token itself is not ours to try")
        checks, leaked = TokenChecks(self.vault, context.now), SecretText(target.leaked.reveal())
        check = watch_refusals(lambda: checks.attempt(leaked), context.now, self.tools, OBSERVER)
        return StepResult(checks=[check], note=f"the leaked token was refused {check.attempts} times")


HANDLER: Final = VaultToken
