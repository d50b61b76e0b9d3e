"""An AppRole: its secret ids are destroyed, the tokens that came of them revoked, its entity braked.

A destroyed secret id does not end the tokens that were made with it (vault #2355), and no token says with
which secret id it was made: so all tokens of the role end, also when one secret id is meant. Whoever has a
good secret id logs in again.

The vault locks a role out after a few refused logins (five, by default), and then says 403 to good ones too.
So 403 is no refusal here, and the login that must be let in comes last: it sets the count back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, cast

from pydantic import Field

from config.secret import Secret
from connectors.rotation.entity_brake import EntityBrake
from connectors.rotation.failing import guarded
from connectors.rotation.handler import VAULT_NAME_OR_NONE, VAULT_PATH, VaultHandler, VaultTarget, Work
from connectors.rotation.login import Login
from connectors.rotation.refusing import watch_refusals
from connectors.rotation.token_checks import OBSERVER, TokenChecks, refuse_own_login
from connectors.vault import approle, tokens
from connectors.vault.error import VaultError
from connectors.vault.secret_text import SecretText
from playbooks.ports import StepContext, StepFailedError, StepResult, StepSpec
from playbooks.proof import Check, CheckName, Grade

WITNESS_S: Final = 900
_CALL_S: Final = 5.0
MARK: Final = "davylamp_action"


class AppRoleTarget(VaultTarget):
    """A role of an AppRole mount. `leaked` is the secret id that was found, when there is one to try.

    `entity` is the role's entity: the brake. A role that gives batch tokens needs it.
    """

    kind: str = "vault_approle"
    mount: str = Field(default="approle", pattern=VAULT_PATH, max_length=128)
    cap: int = Field(default=50, ge=1, le=500)
    entity: str = Field(default="", pattern=VAULT_NAME_OR_NONE)
    leaked: Secret = Secret()

    @property
    def named_as(self) -> tuple[tuple[str, str], ...]:
        """The entity that the role's logins lead to."""
        return (("vault_entity", self.entity),) if self.entity else ()


Target = AppRoleTarget


class VaultAppRole(VaultHandler[AppRoleTarget]):
    """Implements `playbooks.ports.RotationHandler` for kind `vault_approle`."""

    kind: str = "vault_approle"
    TARGET = AppRoleTarget
    permissions: tuple[str, ...] = (
        'path "auth/$mount/role/$name" { capabilities = ["read"] }',
        'path "auth/$mount/role/$name/role-id" { capabilities = ["read"] }',
        'path "auth/$mount/role/$name/secret-id" { capabilities = ["list", "update"] }',
        'path "auth/$mount/role/$name/secret-id-accessor/lookup" { capabilities = ["update"] }',
        'path "auth/$mount/role/$name/secret-id-accessor/destroy" { capabilities = ["update"] }',
        'path "auth/token/accessors" { capabilities = ["list", "sudo"] }',
        'path "auth/token/lookup-accessor" { capabilities = ["update"] }',
        'path "auth/token/revoke-accessor" { capabilities = ["update"] }',
        'path "identity/entity/id/$entity" { capabilities = ["read", "update"] }',
        'path "$escrow_mount/encrypt/$escrow_key" { capabilities = ["update"] }',
        'path "$escrow_mount/decrypt/$escrow_key" { capabilities = ["update"] }',
    )
    example: str = (
        "{kind: vault_approle, mount: approle, name: ingest, classification: internal, owner: data, "
        "entity: 0f4a7c1e-3d2b-4c55-9d0a-2f3b8a6f1c77}"
    )
    best_grade: Grade = "A"
    irreversible: str = "destroyed secret ids and revoked tokens stay dead; their holders need new ones"
    STEPS: ClassVar[tuple[StepSpec, ...]] = (
        StepSpec("snapshot", None, False, deadline_s=60, timeout_s=5, max_attempts=5),
        StepSpec("negative_control", "one more secret id, as a witness", False, 60, 5, 5),
        StepSpec("brake", "entity disabled", False, 60, 5, 5, undo="the entity is enabled again"),
        StepSpec("rotate", "secret ids destroyed", True, 120, _CALL_S, 6, milestone="rotated"),
        StepSpec("sessions_gone", "vault token revoke", False, 120, _CALL_S, 5, milestone="contained"),
        StepSpec("release", "entity enabled, unless its batch tokens still live", False, 60, 5, 5),
        StepSpec("old_refused", None, False, deadline_s=120, timeout_s=5, max_attempts=3),
        StepSpec("new_accepted", "one login of the role, ended again", False, 60, 5, 5),
        StepSpec("prove", None, False, deadline_s=60, timeout_s=5, max_attempts=5),
    )

    def works(self) -> Mapping[str, Work[Target]]:
        """Return step name -> what does it."""
        return {
            "snapshot": self._snapshot,
            "negative_control": self._negative_control,
            "brake": self._brake,
            "rotate": self._rotate,
            "sessions_gone": self._sessions_gone,
            "release": self._release,
            "new_accepted": self._new_accepted,
            "old_refused": self._old_refused,
            "prove": self._prove,
        }

    def ready(self, target: Target, context: StepContext) -> None:
        """Raise for an unknown secret id, too many, our own role, batch tokens that nothing could brake."""
        refuse_own_login(self.vault, _path(target), {"role_name": target.name})
        if target.entity:
            EntityBrake(self.vault, target.entity).check()
        elif _role(self, target).gives_batch_tokens():
            reason = "the role gives batch tokens, which cannot be revoked: set `entity` for the brake"
            raise StepFailedError(reason, retry=False)
        self._meant(target, context)

    def stands(self, target: Target, context: StepContext) -> bool:
        """Return whether none of the destroyed secret ids is there."""
        return not {*cast("list[str]", context.state["secret_ids"])} & _role(self, target).secret_ids()

    def outlook(self, target: Target, context: StepContext) -> Sequence[str]:
        """Say how many secret ids and tokens end, and whether the entity is held."""
        found = tokens.issued(self.vault, _path(target), {"role_name": target.name}, 5000)
        held = f"entity {target.entity} is disabled" if target.entity else "no entity is named: no brake"
        return (
            f"{len(self._meant(target, context))} secret id(s) of {target.mount}/{target.name} are destroyed",
            f"{sum(1 for _ in found)} token(s) of the role are revoked",
            f"{held} in between",
        )

    def undo(self, step: StepSpec, context: StepContext) -> StepResult:
        """Enable the entity that this action disabled."""
        if step.name != "brake":
            return super().undo(step, context)
        target = self.target(context)
        return guarded(lambda: self._enable(target, context))

    def _meant(self, target: Target, context: StepContext) -> frozenset[str]:
        known = _role(self, target).secret_ids()
        if context.target.instance:
            if context.target.instance not in known:
                raise StepFailedError("the vault has no such secret id: nothing to destroy", retry=False)
            return frozenset({context.target.instance})
        if len(known) > target.cap:
            reason = f"the role has {len(known)} secret ids, over the cap of {target.cap}: a person must look"
            raise StepFailedError(reason, retry=False)
        return known

    def _snapshot(self, target: Target, context: StepContext) -> StepResult:
        meant = self._meant(target, context)
        state = {
            "secret_ids": sorted(meant),
            "batch": _role(self, target).gives_batch_tokens(),
            "was_disabled": bool(target.entity) and EntityBrake(self.vault, target.entity).check().disabled,
        }
        return StepResult(state, note=f"{len(meant)} secret id(s) of the role")

    def _negative_control(self, target: Target, context: StepContext) -> StepResult:
        """A made-up secret id is refused, a witness is let in. A lost witness dies by itself in minutes."""
        first, role = context.now(), _role(self, target)
        role_id = role.role_id()
        accessor, witness = role.new_secret_id({MARK: context.action_id}, WITNESS_S)
        wrong = role.log_in(role_id, self.tools.random_password())
        right = role.log_in(role_id, witness)
        self._end(wrong, right)
        passed = wrong.code == approle.REFUSED and right.token is not None
        check = Check("negative_control", passed, 2, first, context.now(), OBSERVER, wrong.code)
        if not passed:
            raise StepFailedError(_unfit(wrong, right), retry=False, checks=[check])
        state = {"witness": accessor, "role_id": role_id, "escrow": self.vault.encrypt(*self.escrow, witness)}
        return StepResult(state, [check], "a made-up secret id is refused, the witness is let in")

    def _brake(self, target: Target, context: StepContext) -> StepResult:
        if not target.entity:
            return StepResult(note="no entity is named: no brake")
        context.still_leased(2 * _CALL_S)
        EntityBrake(self.vault, target.entity).pull()
        return StepResult(note="the entity is disabled: its logins and tokens are refused")

    def _rotate(self, target: Target, context: StepContext) -> StepResult:
        role = _role(self, target)
        wanted = {*cast("list[str]", context.state["secret_ids"]), str(context.state["witness"])}
        ours = {
            a for a in role.secret_ids() - wanted if (role.metadata(a) or {}).get(MARK) == context.action_id
        }
        for accessor in sorted((wanted | ours) & role.secret_ids()):
            context.still_leased(2 * _CALL_S)
            role.destroy(accessor)
        if wanted & role.secret_ids():
            raise StepFailedError("the vault said yes but still knows a secret id", retry=True)
        at = self.vault.health().server_time
        return StepResult({"rotated_at": at}, note=f"{len(wanted) - 1} secret id(s) destroyed")

    def _sessions_gone(self, target: Target, context: StepContext) -> StepResult:
        ended, check = self._end_tokens(target, context)
        return StepResult({"ended": ended}, [check], f"{ended} token(s) of the role revoked, none left")

    def _release(self, target: Target, context: StepContext) -> StepResult:
        if not target.entity:
            return StepResult()
        without: list[CheckName] = ["new_accepted"]
        if context.state["batch"]:
            note = "the entity stays disabled: its batch tokens would work again; enable it once they expired"
            return StepResult({"without": without}, note=note)
        if context.state["was_disabled"]:
            return StepResult({"without": without}, note="the entity was disabled before: it stays so")
        return self._enable(target, context)

    def _new_accepted(self, target: Target, context: StepContext) -> StepResult:
        if context.state.get("without"):
            return StepResult(note="no login while the entity is disabled")
        first, role = context.now(), _role(self, target)
        accessor, fresh = role.new_secret_id({MARK: context.action_id}, 60)
        login = role.log_in(str(context.state["role_id"]), fresh)
        self._end(login)
        role.destroy(accessor)
        check = Check("new_accepted", login.token is not None, 1, first, context.now(), OBSERVER, login.code)
        if login.token is None:
            raise StepFailedError(f"a new secret id is refused ({login.code})", retry=True, checks=[check])
        return StepResult(checks=[check], note="a new secret id is let in")

    def _old_refused(self, target: Target, context: StepContext) -> StepResult:
        """The found secret id is tried when there is one; else the witness, and the grade is B."""
        found = target.leaked.given()
        old = (
            SecretText(target.leaked.reveal()) if found else self.vault.decrypt(*self.escrow, _kept(context))
        )
        role, role_id = _role(self, target), str(context.state["role_id"])
        check = watch_refusals(lambda: self._attempt(role, role_id, old), context.now, self.tools, OBSERVER)
        what = "the leaked secret id" if found else "the witness"
        return StepResult({"tried_old": found}, [check], f"{what} was refused {check.attempts} times")

    def _prove(self, target: Target, context: StepContext) -> StepResult:
        back = {*cast("list[str]", context.state["secret_ids"])} & _role(self, target).secret_ids()
        if back:
            raise StepFailedError(f"{len(back)} destroyed secret id(s) are back", retry=False)
        late, check = self._end_tokens(target, context)
        note = "proof complete" if not late else f"proof complete; {late} late token(s) revoked"
        return StepResult(checks=[check], note=note)

    def _attempt(self, role: approle.AppRole, role_id: str, old: SecretText) -> Login:
        try:
            login = role.log_in(role_id, old)
        except VaultError as error:
            return Login("unanswered", type(error).__name__)
        self._end(login)
        verdict = "accepted" if login.token else "refused" if login.code == approle.REFUSED else "unanswered"
        return Login(verdict, login.code)

    def _enable(self, target: Target, context: StepContext) -> StepResult:
        if context.state.get("was_disabled"):
            return StepResult(note="the entity was disabled before: it stays so")
        EntityBrake(self.vault, target.entity).release()
        return StepResult(note="the entity is enabled again")

    def _end(self, *logins: approle.Login) -> None:
        for login in logins:
            if login.accessor:
                tokens.revoke(self.vault, login.accessor)

    def _end_tokens(self, target: Target, context: StepContext) -> tuple[int, Check]:
        checks = TokenChecks(self.vault, context.now)
        return checks.end_issued(
            _path(target), {"role_name": target.name}, lambda: context.still_leased(2 * _CALL_S)
        )


def _role(handler: VaultAppRole, target: Target) -> approle.AppRole:
    return approle.AppRole(handler.vault, target.mount, target.name)


def _path(target: Target) -> str:
    return f"auth/{target.mount}/login"


def _kept(context: StepContext) -> str:
    kept = context.state.get("escrow")
    if not isinstance(kept, str):
        raise StepFailedError("the witness is no longer kept: it cannot be tried", retry=False)
    return kept


def _unfit(wrong: approle.Login, right: approle.Login) -> str:
    if wrong.token is not None:
        return "a made-up secret id is let in: no later refusal would mean a thing"
    codes = f"a made-up secret id gives {wrong.code}, a good one {right.code}"
    return f"{codes}: the role is locked out or its entity disabled" if right.code == "403" else codes


HANDLER: Final = VaultAppRole
