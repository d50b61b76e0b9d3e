"""Rotation of a static role of the vault's database engine, proven by PostgreSQL itself.

`rotate-role` is not idempotent, and a failed one stays pending in the vault, which finishes it seconds later
by itself (database engine, path_rotate_credentials). So the mark of the last rotation is read before and
after every call, and decides. The old password is escrowed as transit ciphertext, in the clear only inside
a call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, cast

from pydantic import Field

from config.response import DatabaseProbe
from connectors.consumers.pair_watch import Pair, PairWatch
from connectors.rotation.ending import end_sessions
from connectors.rotation.failing import guarded
from connectors.rotation.handler import VaultHandler, VaultTarget, Work
from connectors.rotation.probing import Prober
from connectors.rotation.sessions import Observer, observer_missing
from connectors.vault.replies import StaticCredentials
from connectors.vault.secret_text import SecretText
from playbooks.ports import (
    ConsumersNow,
    MovedOnError,
    Observation,
    StepContext,
    StepFailedError,
    StepResult,
    StepSpec,
)
from playbooks.proof import Check, Grade

MAX_ESCROW_S: Final = 3600.0


class DatabaseStaticRoleTarget(VaultTarget):
    """A static role: `name` is its name in the vault, `username` the database login if it has another."""

    username: str | None = Field(default=None, max_length=63)
    probe: DatabaseProbe = DatabaseProbe()


Target = DatabaseStaticRoleTarget


class DatabaseStaticRole(VaultHandler[DatabaseStaticRoleTarget]):
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
        StepSpec("rotate", "vault rotate-role", True, 180, 5, 6, milestone="rotated"),
        StepSpec("new_accepted", None, False, deadline_s=60, timeout_s=5, max_attempts=5),
        StepSpec("sessions_gone", "pg_terminate_backend", False, 60, 5, 5, milestone="contained"),
        StepSpec("old_refused", None, False, deadline_s=120, timeout_s=5, max_attempts=3),
        StepSpec("prove", None, False, deadline_s=60, timeout_s=5, max_attempts=5),
    )

    TARGET = DatabaseStaticRoleTarget
    ROUTINE = True
    best_grade: Grade = "A"
    irreversible: str = "the old password is gone for good; the vault serves the new one"
    services: tuple[str, ...] = ("vault", "database")

    @classmethod
    def unprovable(cls, target: Target) -> Mapping[str, str]:
        """Ask for the observer's login."""
        return observer_missing(target.probe)

    def works(self) -> Mapping[str, Work[Target]]:
        """Return step name -> what does it; sessions end right after the rotation, before the refusals."""
        return {
            "escrow": self._keep_old,
            "negative_control": self._negative_control,
            "rotate": self._rotate,
            "new_accepted": self._new_accepted,
            "sessions_gone": self._sessions_gone,
            "old_refused": self._old_refused,
            "prove": self._prove,
        }

    def ready(self, target: Target, context: StepContext) -> None:
        """Raise unless the role is the configured one and the observer may end its sessions."""
        self._role_is_ours(target)
        self._observer_is_fit(target, context)

    def outlook(self, target: Target, context: StepContext) -> Sequence[str]:
        """Say which login gets a new password, since when it has this one, and how many sessions end."""
        role = self.vault.static_role(target.mount, target.name)
        observer = Observer(target.probe, self.spec("sessions_gone").timeout_s)
        sessions = observer.count_sessions(target.login, observer.clock())
        return (
            f"database login {target.login} gets a new password; the old one is of {role.rotation.mark}",
            f"{sessions} open session(s) of {target.login} end",
        )

    def consumers(self, context: StepContext) -> ConsumersNow:
        """Return who uses the login now: all are on the old password until it changes, with no overlap."""
        target = self.target(context)
        named = ("credential", f"database:{target.mount.strip('/')}/{target.name}")
        login = Pair(target.login, target.login, named, named)
        observer = Observer(target.probe, self.spec("sessions_gone").timeout_s)
        watch = PairWatch(self.tools)
        return ConsumersNow(target.name, "", guarded(lambda: watch.now(context, login, observer, None)))

    def observe(self, step: StepSpec, context: StepContext) -> Observation:
        """For `rotate`: whether the vault's mark moved past the escrowed one. For `prove`: whether it stands
        where it was proven. Other steps may simply run again.
        """
        if step.name not in ("rotate", "prove"):
            return "not_done"
        target = self.target(context)
        role = guarded(lambda: self.vault.static_role(target.mount, target.name))
        if step.name == "prove":
            return "done" if role.rotation.mark == context.state.get("rotated") else "not_done"
        return "done" if role.rotation.mark != context.state.get("baseline") else "not_done"

    def _role_is_ours(self, target: Target) -> None:
        role = self.vault.static_role(target.mount, target.name)
        if role.username != target.login:
            raise StepFailedError(
                "the static role's user name in the vault is not the configured one", retry=False
            )

    def _observer_is_fit(self, target: Target, context: StepContext) -> None:
        password = SecretText(target.probe.observer_password.reveal())
        answer = Prober(
            target.probe, target.probe.observer, context.now, self.tools.sleep, self.tools.monotonic
        ).login(password)
        if answer.verdict == "refused":
            raise StepFailedError(f"the observer's login is refused ({answer.code})", retry=False)
        if not Observer(target.probe, self.STEPS[0].timeout_s).may_end_sessions():
            raise StepFailedError("the observer has no pg_signal_backend", retry=False)

    def _keep_old(self, target: Target, context: StepContext) -> StepResult:
        old = self.vault.static_credentials(target.mount, target.name)
        escrow = self.vault.encrypt(*self.escrow, old.password)
        state = {
            "username": old.username,
            "baseline": old.rotation.mark,
            "baseline_at": old.rotation.at,
            "escrow": escrow,
            "escrowed_at": context.now(),
            "fingerprint": self.vault.fingerprint(*self.escrow, old.password),
            "pooled": target.probe.pooled,
        }
        return StepResult(state, note="kept the old password's ciphertext for the proof")

    def _negative_control(self, target: Target, context: StepContext) -> StepResult:
        prober = self._prober(target, context)
        check = prober.negative_control(self.tools.random_password(), self._old(context))
        return StepResult(checks=[check], note="a random password is refused, the current one is let in")

    def _rotate(self, target: Target, context: StepContext) -> StepResult:
        if self._mark(target) != context.state["baseline"]:
            return StepResult(note="the vault had rotated already")
        context.still_leased(2 * self.STEPS[2].timeout_s)
        self.vault.rotate_static_role(target.mount, target.name)
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
        ended, check = self._end_sessions(target, context)
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
        late, check = self._end_sessions(target, context)
        if self._mark(target) != context.state["rotated"]:
            raise MovedOnError("the password changed again after it was proven", again_from="new_accepted")
        note = "proof complete" if not late else f"proof complete; {late} late session(s) ended"
        return StepResult({"escrow": None, "late": late}, [check], note)

    def _end_sessions(self, target: Target, context: StepContext) -> tuple[int, Check]:
        """End what is older than the rotation. Raises StepFailedError."""
        observer = Observer(target.probe, self.spec("sessions_gone").timeout_s)
        user, cut = str(context.state["username"]), float(cast(float, context.state["cut"]))
        return end_sessions(observer, target.probe.observer, user, cut, context.now, self.tools.sleep)

    def _served(self, target: Target, context: StepContext) -> StaticCredentials:
        new = self.vault.static_credentials(target.mount, target.name)
        same = new.rotation.mark == context.state["baseline"]
        if same or (_escrow_kept(context) and new.password.same_as(self._old(context))):
            raise StepFailedError("the vault still serves the old password", retry=True)
        return new

    def _old(self, context: StepContext) -> SecretText:
        """Return the old password. Raises StepFailedError once its hour is over."""
        if not _escrow_kept(context):
            raise StepFailedError("the old password is no longer kept: it cannot be tried", retry=False)
        return self.vault.decrypt(*self.escrow, str(context.state["escrow"]))

    def _mark(self, target: Target) -> str:
        return self.vault.static_role(target.mount, target.name).rotation.mark

    def _prober(self, target: Target, context: StepContext) -> Prober:
        return Prober(
            target.probe, str(context.state["username"]), context.now, self.tools.sleep, self.tools.monotonic
        )


def _escrow_kept(context: StepContext) -> bool:
    kept_s = context.now() - float(cast(float, context.state.get("escrowed_at", 0.0)))
    return isinstance(context.state.get("escrow"), str) and kept_s <= MAX_ESCROW_S


HANDLER: Final = DatabaseStaticRole
