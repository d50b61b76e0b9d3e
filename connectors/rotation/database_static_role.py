"""Rotation of a static role of the vault's database engine, proven by PostgreSQL itself.

`rotate-role` is not idempotent, and a failed one stays pending in the vault, which finishes it seconds later
by itself (database engine, path_rotate_credentials). So the mark of the last rotation is read before and
after every call, and decides. The old password is escrowed as transit ciphertext, in the clear only inside
a call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Final, TypeVar, cast

from config.errors import ConfigurationError, Problem
from config.response import Target
from connectors.rotation.probing import Prober
from connectors.rotation.sessions import Observer, ObserverAwayError
from connectors.rotation.tools import Tools
from connectors.vault.client import clock_skew
from connectors.vault.error import VaultAwayError, VaultDeniedError, VaultError, VaultRefusedError
from connectors.vault.replies import StaticCredentials
from connectors.vault.secret_text import SecretText
from playbooks.ports import MovedOnError, Observation, StepContext, StepFailedError, StepResult, StepSpec
from playbooks.proof import Check
from playbooks.target import TargetRef

MAX_SKEW_S: Final = 30.0
MAX_ESCROW_S: Final = 3600.0
_T = TypeVar("_T")
_SESSION_TRIES: Final = 20
_SESSION_PAUSE_S: Final = 0.1


class DatabaseStaticRole:
    """Implements `playbooks.ports.RotationHandler` for kind `database_static_role`."""

    kind: str = "database_static_role"
    permissions: tuple[str, ...] = (
        'path "$mount/static-roles/$name" { capabilities = ["read"] }',
        'path "$mount/static-creds/$name" { capabilities = ["read"] }',
        'path "$mount/rotate-role/$name" { capabilities = ["update"] }',
        'path "$escrow_mount/encrypt/$escrow_key" { capabilities = ["update"] }',
        'path "$escrow_mount/decrypt/$escrow_key" { capabilities = ["update"] }',
        'path "$escrow_mount/hmac/$escrow_key" { capabilities = ["update"] }',
    )
    example: str = (
        "{kind: database_static_role, mount: database, name: analytics, classification: internal, "
        "owner: data, probe: {host: db.example, sslmode: verify-full, observer: davylamp_observer, "
        "observer_password: {file: /run/secrets/observer}}}"
    )
    STEPS: ClassVar[tuple[StepSpec, ...]] = (
        StepSpec("escrow", None, False, deadline_s=60, timeout_s=5, max_attempts=5),
        StepSpec("negative_control", None, False, deadline_s=60, timeout_s=5, max_attempts=5),
        StepSpec("rotate", "vault rotate-role", True, deadline_s=180, timeout_s=5, max_attempts=6),
        StepSpec("new_accepted", None, False, deadline_s=60, timeout_s=5, max_attempts=5),
        StepSpec("sessions_gone", "pg_terminate_backend", False, deadline_s=60, timeout_s=5, max_attempts=5),
        StepSpec("old_refused", None, False, deadline_s=120, timeout_s=5, max_attempts=3),
        StepSpec("prove", None, False, deadline_s=60, timeout_s=5, max_attempts=5),
    )

    def __init__(self, targets: Mapping[str, Target], tools: Tools) -> None:
        self._targets = targets
        self._tools = tools
        self._vault = tools.vault
        self._escrow = (tools.settings.vault.escrow_mount, tools.settings.vault.escrow_key)
        self._calls: dict[str, Callable[[Target, StepContext], StepResult]] = {
            "escrow": self._keep_old,
            "negative_control": self._negative_control,
            "rotate": self._rotate,
            "new_accepted": self._new_accepted,
            "sessions_gone": self._sessions_gone,
            "old_refused": self._old_refused,
            "prove": self._prove,
        }

    @classmethod
    def from_settings(cls, tools: Tools) -> DatabaseStaticRole:
        """Return the handler of all targets of this kind. Raises ConfigurationError naming the wrong ones."""
        targets = tools.settings.response.targets
        problems = [
            Problem(
                f"target {target.name}",
                f"response.targets.{index}.probe.observer_password",
                "is required: without the observer's login no proof can be made; give value or file",
            )
            for index, target in enumerate(targets)
            if target.kind == cls.kind and not target.probe.observer_password.given()
        ]
        if problems:
            raise ConfigurationError(problems)
        return cls({target.key: target for target in targets if target.kind == cls.kind}, tools)

    def steps(self, target: TargetRef) -> Sequence[StepSpec]:
        """Return the seven steps; sessions end right after the rotation, before the seconds of refusals."""
        return self.STEPS

    def precheck(self, step: StepSpec, context: StepContext) -> None:
        """Raise StepFailedError unless vault, clock and observer are fit; asked before the first step."""
        if step.name != "escrow":
            return
        target = self._target(context)
        _guarded(lambda: self._vault_is_fit(context))
        _guarded(lambda: self._role_is_ours(target))
        _guarded(lambda: self._observer_is_fit(target, step, context))

    def call(self, step: StepSpec, context: StepContext) -> StepResult:
        """Do one step. Raises StepFailedError; what was sent may have taken effect all the same."""
        target = self._target(context)
        context.still_leased(2 * step.timeout_s)
        return _guarded(lambda: self._calls[step.name](target, context))

    def observe(self, step: StepSpec, context: StepContext) -> Observation:
        """For `rotate`: whether the vault's mark moved past the escrowed one. For `prove`: whether it stands
        where it was proven. Other steps may simply run again.
        """
        if step.name not in ("rotate", "prove"):
            return "not_done"
        target = self._target(context)
        role = _guarded(lambda: self._vault.static_role(target.mount, target.name))
        if step.name == "prove":
            return "done" if role.rotation.mark == context.state.get("rotated") else "not_done"
        return "done" if role.rotation.mark != context.state.get("baseline") else "not_done"

    def _vault_is_fit(self, context: StepContext) -> None:
        health = self._vault.health()
        if health.sealed or health.standby:
            raise VaultAwayError("sealed" if health.sealed else "standby", "GET sys/health")
        skew = clock_skew(health, context.now())
        if abs(skew) > MAX_SKEW_S:
            raise StepFailedError(f"the vault's clock differs by {skew:.0f} s from ours", retry=False)

    def _role_is_ours(self, target: Target) -> None:
        role = self._vault.static_role(target.mount, target.name)
        if role.username != target.login:
            raise StepFailedError(
                "the static role's user name in the vault is not the configured one", retry=False
            )

    def _observer_is_fit(self, target: Target, step: StepSpec, context: StepContext) -> None:
        password = SecretText(target.probe.observer_password.reveal())
        answer = Prober(target.probe, target.probe.observer, context.now, self._tools.sleep).login(password)
        if answer.verdict == "refused":
            raise StepFailedError(f"the observer's login is refused ({answer.code})", retry=False)
        if not Observer(target.probe, step.timeout_s).may_end_sessions():
            raise StepFailedError("the observer has no pg_signal_backend", retry=False)

    def _keep_old(self, target: Target, context: StepContext) -> StepResult:
        old = self._vault.static_credentials(target.mount, target.name)
        escrow = self._vault.encrypt(*self._escrow, old.password)
        state = {
            "username": old.username,
            "baseline": old.rotation.mark,
            "baseline_at": old.rotation.at,
            "escrow": escrow,
            "escrowed_at": context.now(),
            "fingerprint": self._vault.fingerprint(*self._escrow, old.password),
            "pooled": target.probe.pooled,
        }
        return StepResult(state, note="kept the old password's ciphertext for the proof")

    def _negative_control(self, target: Target, context: StepContext) -> StepResult:
        prober = self._prober(target, context)
        check = prober.negative_control(self._tools.random_password(), self._old(context))
        return StepResult(checks=[check], note="a random password is refused, the current one is let in")

    def _rotate(self, target: Target, context: StepContext) -> StepResult:
        if self._mark(target) != context.state["baseline"]:
            return StepResult(note="the vault had rotated already")
        context.still_leased(2 * self.STEPS[2].timeout_s)
        self._vault.rotate_static_role(target.mount, target.name)
        if self._mark(target) == context.state["baseline"]:
            raise StepFailedError("the vault said yes but has not rotated", retry=True)
        return StepResult(note="the vault rotated the password")

    def _new_accepted(self, target: Target, context: StepContext) -> StepResult:
        new = self._served(target, context)
        check = self._prober(target, context).new_accepted(new.password)
        cut = Observer(target.probe, self.STEPS[3].timeout_s).clock()
        state = {"rotated": new.rotation.mark, "rotated_at": new.rotation.at, "cut": cut}
        return StepResult(state, [check], "the new password is let in")

    def _sessions_gone(self, target: Target, context: StepContext) -> StepResult:
        first = context.now()
        ended, tries = self._end_sessions(target, context)
        check = self._sessions_check(target, context, tries, first)
        return StepResult({"ended": ended}, [check], f"{ended} old session(s) ended, none left")

    def _old_refused(self, target: Target, context: StepContext) -> StepResult:
        if not _escrow_kept(context):
            return StepResult(
                {"tried_old": False}, note="the old password is no longer kept: it cannot be tried"
            )
        check = self._prober(target, context).old_refused(self._old(context))
        return StepResult(checks=[check], note=f"the old password was refused {check.attempts} times")

    def _prove(self, target: Target, context: StepContext) -> StepResult:
        """Look once more: a login begun before the rotation may have become a session since."""
        first = context.now()
        late, tries = self._end_sessions(target, context)
        if self._mark(target) != context.state["rotated"]:
            raise MovedOnError("the password changed again after it was proven", again_from="new_accepted")
        check = self._sessions_check(target, context, tries, first)
        note = "proof complete" if not late else f"proof complete; {late} late session(s) ended"
        return StepResult({"escrow": None, "late": late}, [check], note)

    def _end_sessions(self, target: Target, context: StepContext) -> tuple[int, int]:
        """Return how many were ended and after how many looks none was left. Raises StepFailedError."""
        observer = Observer(target.probe, self.STEPS[4].timeout_s)
        user, cut = str(context.state["username"]), float(cast(float, context.state["cut"]))
        first, ended = context.now(), 0
        for tries in range(1, _SESSION_TRIES + 1):
            ended += observer.end_sessions(user, cut)
            if observer.count_sessions(user, cut) == 0:
                return ended, tries
            self._tools.sleep(_SESSION_PAUSE_S)
        check = Check(
            "sessions_gone", False, _SESSION_TRIES, first, context.now(), target.probe.observer, "open"
        )
        raise StepFailedError("old sessions do not end", retry=True, checks=[check])

    def _sessions_check(self, target: Target, context: StepContext, tries: int, first: float) -> Check:
        return Check("sessions_gone", True, tries, first, context.now(), target.probe.observer, "0 sessions")

    def _served(self, target: Target, context: StepContext) -> StaticCredentials:
        new = self._vault.static_credentials(target.mount, target.name)
        same = new.rotation.mark == context.state["baseline"]
        if same or (_escrow_kept(context) and new.password.same_as(self._old(context))):
            raise StepFailedError("the vault still serves the old password", retry=True)
        return new

    def _old(self, context: StepContext) -> SecretText:
        """Return the old password. Raises StepFailedError once its hour is over."""
        if not _escrow_kept(context):
            raise StepFailedError("the old password is no longer kept: it cannot be tried", retry=False)
        return self._vault.decrypt(*self._escrow, str(context.state["escrow"]))

    def _mark(self, target: Target) -> str:
        return self._vault.static_role(target.mount, target.name).rotation.mark

    def _prober(self, target: Target, context: StepContext) -> Prober:
        return Prober(target.probe, str(context.state["username"]), context.now, self._tools.sleep)

    def _target(self, context: StepContext) -> Target:
        target = self._targets.get(context.target.key)
        if target is None:
            raise StepFailedError("the target is no longer configured", retry=False)
        return target


def _escrow_kept(context: StepContext) -> bool:
    kept_s = context.now() - float(cast(float, context.state.get("escrowed_at", 0.0)))
    return isinstance(context.state.get("escrow"), str) and kept_s <= MAX_ESCROW_S


def _guarded(work: Callable[[], _T]) -> _T:
    """Do `work`, telling the outside's errors as StepFailedError that chains to nothing."""
    failure: StepFailedError
    try:
        return work()
    except VaultError as error:
        failure = _failed(error)
    except ObserverAwayError as error:
        failure = StepFailedError(str(error), retry=True, unavailable="database")
    raise failure


def _failed(error: VaultError) -> StepFailedError:
    match error:
        case VaultAwayError():
            return StepFailedError(str(error), retry=True, unavailable="vault")
        case VaultDeniedError():
            return StepFailedError(str(error), retry=False)
        case VaultRefusedError(unfinished=True):
            return StepFailedError(str(error), retry=True, unavailable="database")
        case VaultRefusedError(status=status):
            return StepFailedError(str(error), retry=status >= 500 or status == 0)
        case _:
            return StepFailedError(str(error), retry=False)


HANDLER: Final = DatabaseStaticRole
