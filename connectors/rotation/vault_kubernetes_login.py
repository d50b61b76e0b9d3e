"""Logins of one role of the vault's Kubernetes auth method: every token that they made is revoked.

Whoever still holds the service account's own token logs in again: that token is the business of the kind for
Kubernetes service accounts. Until it is dead, `entity` is the brake: it stays on, and its undo is a person's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from pydantic import Field

from config.secret import Secret
from connectors.rotation.entity_brake import EntityBrake
from connectors.rotation.failing import guarded
from connectors.rotation.handler import VAULT_NAME_OR_NONE, VAULT_PATH, VaultHandler, VaultTarget, Work
from connectors.rotation.refusing import watch_refusals
from connectors.rotation.token_checks import MAX_TOKENS, OBSERVER, TokenChecks, refuse_own_login
from connectors.vault import tokens
from connectors.vault.secret_text import SecretText
from playbooks.ports import StepContext, StepResult, StepSpec
from playbooks.proof import CheckName, Grade

_CALL_S: Final = 5.0
_NO_SUCCESSOR: Final[list[CheckName]] = ["new_accepted"]


class KubernetesLoginTarget(VaultTarget):
    """A role of a Kubernetes auth mount; `service_account` narrows it to the tokens of one account.

    `entity` is that account's entity, the brake; `leaked` a vault token that was found and may be tried.
    """

    kind: str = "vault_kubernetes_login"
    mount: str = Field(default="kubernetes", pattern=VAULT_PATH, max_length=128)
    service_account: str = Field(default="", max_length=253)
    namespace: str = Field(default="", max_length=63)
    entity: str = Field(default="", pattern=VAULT_NAME_OR_NONE)
    leaked: Secret = Secret()

    @property
    def named_as(self) -> tuple[tuple[str, str], ...]:
        """The service account and the entity that its logins lead to."""
        account = f"{self.namespace}/{self.service_account}"
        accounts = (("service_account", account),) if self.namespace and self.service_account else ()
        return (*accounts, *((("vault_entity", self.entity),) if self.entity else ()))


Target = KubernetesLoginTarget


class VaultKubernetesLogin(VaultHandler[KubernetesLoginTarget]):
    """Implements `playbooks.ports.RotationHandler` for kind `vault_kubernetes_login`."""

    kind: str = "vault_kubernetes_login"
    TARGET = KubernetesLoginTarget
    permissions: tuple[str, ...] = (
        'path "auth/token/accessors" { capabilities = ["list", "sudo"] }',
        'path "auth/token/lookup-accessor" { capabilities = ["update"] }',
        'path "auth/token/revoke-accessor" { capabilities = ["update"] }',
        'path "identity/entity/id/$entity" { capabilities = ["read", "update"] }',
    )
    example: str = (
        "{kind: vault_kubernetes_login, mount: kubernetes, name: ingest, namespace: data, "
        "service_account: ingest, classification: internal, owner: data, "
        "entity: 0f4a7c1e-3d2b-4c55-9d0a-2f3b8a6f1c77}"
    )
    best_grade: Grade = "B"
    irreversible: str = "revoked tokens stay dead; the workload logs in again"
    STEPS: ClassVar[tuple[StepSpec, ...]] = (
        StepSpec("snapshot", None, False, deadline_s=60, timeout_s=5, max_attempts=5),
        StepSpec("negative_control", None, False, deadline_s=60, timeout_s=5, max_attempts=5),
        StepSpec("brake", "entity disabled", False, 60, 5, 5, undo="the entity is enabled again"),
        StepSpec("rotate", "vault token revoke", True, 180, _CALL_S, 6, milestone="contained"),
        StepSpec("old_refused", None, False, deadline_s=120, timeout_s=5, max_attempts=3),
        StepSpec("prove", None, False, deadline_s=120, timeout_s=5, max_attempts=5),
    )

    def works(self) -> Mapping[str, Work[Target]]:
        """Return step name -> what does it."""
        return {
            "snapshot": self._snapshot,
            "negative_control": self._negative_control,
            "brake": self._brake,
            "rotate": self._rotate,
            "old_refused": self._old_refused,
            "prove": self._prove,
        }

    def ready(self, target: Target, context: StepContext) -> None:
        """Raise for a login or an entity that is our own, and for an entity that is not there."""
        refuse_own_login(self.vault, _path(target), _meta(target))
        if target.entity:
            EntityBrake(self.vault, target.entity).check()

    def stands(self, target: Target, context: StepContext) -> bool:
        """Return whether there is no token of the role."""
        return not any(tokens.issued(self.vault, _path(target), _meta(target), MAX_TOKENS))

    def outlook(self, target: Target, context: StepContext) -> Sequence[str]:
        """Say how many tokens end and whether the entity is held."""
        found = tokens.issued(self.vault, _path(target), _meta(target), MAX_TOKENS)
        held = f"entity {target.entity} is disabled" if target.entity else "no entity is named: no brake"
        return (f"{sum(1 for _ in found)} token(s) of {target.mount}/{target.name} are revoked", held)

    def undo(self, step: StepSpec, context: StepContext) -> StepResult:
        """Enable the entity that this action disabled."""
        target = self.target(context)
        if step.name != "brake" or not target.entity:
            return super().undo(step, context)
        if context.state.get("was_disabled"):
            return StepResult(note="the entity was disabled before: it stays so")
        guarded(lambda: EntityBrake(self.vault, target.entity).release())
        return StepResult(note="the entity is enabled again")

    def _snapshot(self, target: Target, context: StepContext) -> StepResult:
        disabled = bool(target.entity) and EntityBrake(self.vault, target.entity).check().disabled
        return StepResult({"was_disabled": disabled, "without": _NO_SUCCESSOR})

    def _negative_control(self, target: Target, context: StepContext) -> StepResult:
        made_up = SecretText("s." + self.tools.random_password().reveal())
        check = TokenChecks(self.vault, context.now).negative_control(made_up)
        return StepResult(checks=[check], note="a made-up token is refused, ours is let in")

    def _brake(self, target: Target, context: StepContext) -> StepResult:
        if not target.entity:
            return StepResult(note="no entity is named: no brake")
        context.still_leased(2 * _CALL_S)
        EntityBrake(self.vault, target.entity).pull()
        return StepResult(note="the entity is disabled: its logins and tokens are refused")

    def _rotate(self, target: Target, context: StepContext) -> StepResult:
        done = self._end_tokens(target, context)
        at = self.vault.health().server_time
        return StepResult({"rotated_at": at}, done.checks, done.note)

    def _old_refused(self, target: Target, context: StepContext) -> StepResult:
        if not target.leaked.given():
            return StepResult({"tried_old": False}, note="the token itself is not ours to try")
        checks, leaked = TokenChecks(self.vault, context.now), SecretText(target.leaked.reveal())
        check = watch_refusals(lambda: checks.attempt(leaked), context.now, self.tools, OBSERVER)
        return StepResult(checks=[check], note=f"the leaked token was refused {check.attempts} times")

    def _prove(self, target: Target, context: StepContext) -> StepResult:
        return self._end_tokens(target, context)

    def _end_tokens(self, target: Target, context: StepContext) -> StepResult:
        checks = TokenChecks(self.vault, context.now)
        ended, check = checks.end_issued(
            _path(target), _meta(target), lambda: context.still_leased(2 * _CALL_S)
        )
        return StepResult(checks=[check], note=f"{ended} token(s) revoked, none left")


def _path(target: Target) -> str:
    return f"auth/{target.mount}/login"


def _meta(target: Target) -> Mapping[str, str]:
    named = {"service_account_name": target.service_account, "service_account_namespace": target.namespace}
    return {"role": target.name} | {key: value for key, value in named.items() if value}


HANDLER: Final = VaultKubernetesLogin
