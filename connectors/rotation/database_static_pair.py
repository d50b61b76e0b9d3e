"""Two static roles of one database, used in turn: the idle one is made new, consumers move, the old one dies.

A static role alone has one password and no overlap. With a pair nobody stands without a credential: orderly
mode kills the old half only when no consumer is seen on it; containment waits for nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, Self, cast

from pydantic import Field, model_validator

from config.response import DatabaseProbe
from connectors.consumers.pair_watch import Pair, PairWatch
from connectors.consumers.waiting import Wait, looked
from connectors.kubernetes.step_failure import KUBERNETES, at_kubernetes
from connectors.rotation.ending import end_sessions
from connectors.rotation.failing import guarded
from connectors.rotation.handler import VAULT_NAME, VAULT_PATH, VaultHandler, VaultTarget, Work
from connectors.rotation.kv_consumers import SyncedSecret
from connectors.rotation.probing import Prober
from connectors.rotation.sessions import Observer, observer_missing
from connectors.rotation.tools import Tools
from connectors.vault import pointer
from connectors.vault.replies import StaticRole
from playbooks.ports import (
    ConsumersNow,
    MovedOnError,
    StepContext,
    StepFailedError,
    StepResult,
    StepSpec,
)
from playbooks.proof import Check, Grade

_CALL_S: Final = 5.0
_SHOWN: Final = 8


class DatabaseStaticPairTarget(VaultTarget):
    """A pair: `first` and `second` are static roles of `mount`; the pointer's `pointer_field` names the one
    that consumers use. `consumers_wait_s` is how long orderly mode waits for them. `synced` is the Kubernetes
    Secret that pods read the login from; its key holds the user name.
    """

    kind: str = "database_static_pair"
    first: str = Field(pattern=VAULT_NAME)
    second: str = Field(pattern=VAULT_NAME)
    pointer_mount: str = Field(default="secret", pattern=VAULT_PATH, max_length=128)
    pointer_path: str = Field(pattern=VAULT_PATH, max_length=128)
    pointer_field: str = Field(default="role", pattern=VAULT_NAME)
    consumers_wait_s: float = Field(default=300.0, gt=0, le=3000)
    synced: SyncedSecret | None = None
    probe: DatabaseProbe = DatabaseProbe()

    @model_validator(mode="after")
    def _two(self) -> Self:
        if self.first == self.second:
            raise ValueError("first and second are two roles")
        return self

    @property
    def named_as(self) -> tuple[tuple[str, str], ...]:
        """Both halves, as the vault's log names what it hands out."""
        mount = self.mount.strip("/")
        return tuple(("credential", f"database:{mount}/{role}") for role in (self.first, self.second))

    def other(self, role: str) -> str:
        """Return the other half."""
        return self.second if role == self.first else self.first


Target = DatabaseStaticPairTarget


class DatabaseStaticPair(VaultHandler[DatabaseStaticPairTarget]):
    """Implements `playbooks.ports.RotationHandler` for kind `database_static_pair`."""

    kind: str = "database_static_pair"
    TARGET = DatabaseStaticPairTarget
    ROUTINE = True
    permissions: tuple[str, ...] = (
        'path "$mount/static-roles/$first" { capabilities = ["read"] }',
        'path "$mount/static-roles/$second" { capabilities = ["read"] }',
        'path "$mount/static-creds/$first" { capabilities = ["read"] }',
        'path "$mount/static-creds/$second" { capabilities = ["read"] }',
        'path "$mount/rotate-role/$first" { capabilities = ["update"] }',
        'path "$mount/rotate-role/$second" { capabilities = ["update"] }',
        'path "$pointer_mount/data/$pointer_path" { capabilities = ["read", "update"] }',
        'path "$escrow_mount/encrypt/$escrow_key" { capabilities = ["update"] }',
        'path "$escrow_mount/decrypt/$escrow_key" { capabilities = ["update"] }',
    )
    example: str = (
        "{kind: database_static_pair, mount: database, name: orders, first: orders-a, second: orders-b, "
        "pointer_mount: secret, pointer_path: orders/database, classification: internal, owner: shop, "
        "probe: {host: db.example, sslmode: verify-full, observer: davylamp_observer, "
        "observer_password: {file: /run/secrets/observer}}}"
    )
    best_grade: Grade = "A"
    irreversible: str = "the old half's password is gone for good; consumers use the other half"
    services: tuple[str, ...] = ("vault", "database", KUBERNETES)
    STEPS: ClassVar[tuple[StepSpec, ...]] = (
        StepSpec("snapshot", None, False, deadline_s=60, timeout_s=5, max_attempts=5),
        StepSpec("negative_control", None, False, deadline_s=60, timeout_s=5, max_attempts=5),
        StepSpec("refresh", "vault rotate-role of the idle half", False, 180, _CALL_S, 6),
        StepSpec("new_accepted", None, False, deadline_s=60, timeout_s=5, max_attempts=5),
        StepSpec("flip", "pointer to the new half", False, 60, _CALL_S, 5, undo="the pointer goes back"),
        StepSpec("consumers", None, False, deadline_s=3600, timeout_s=5, max_attempts=5),
        StepSpec("rotate", "vault rotate-role of the old half", True, 180, _CALL_S, 6, milestone="rotated"),
        StepSpec("sessions_gone", "pg_terminate_backend", False, 60, 5, 5, milestone="contained"),
        StepSpec("old_refused", None, False, deadline_s=120, timeout_s=5, max_attempts=3),
        StepSpec("prove", None, False, deadline_s=60, timeout_s=5, max_attempts=5),
    )

    def __init__(self, targets: Mapping[str, Target], tools: Tools) -> None:
        super().__init__(targets, tools)
        self.watch = PairWatch(tools)

    @classmethod
    def unprovable(cls, target: Target) -> Mapping[str, str]:
        """Ask for the observer's login."""
        return observer_missing(target.probe)

    def works(self) -> Mapping[str, Work[Target]]:
        """Return step name -> what does it."""
        return {
            "snapshot": self._snapshot,
            "negative_control": self._negative_control,
            "refresh": self._refresh,
            "new_accepted": self._new_accepted,
            "flip": self._flip,
            "consumers": self._consumers,
            "rotate": self._rotate,
            "sessions_gone": self._sessions_gone,
            "old_refused": self._old_refused,
            "prove": self._prove,
        }

    def ready(self, target: Target, context: StepContext) -> None:
        """Raise unless the pointer names a half, the logins are two, and nobody is on the idle one."""
        active = self._active(target)
        idle = self._role(target, target.other(active))
        if self._role(target, active).username == idle.username:
            raise StepFailedError("both halves are one database login: there is no overlap", retry=False)
        observer = self._observer(target)
        if not observer.may_end_sessions():
            raise StepFailedError("the observer has no pg_signal_backend", retry=False)
        names = observer.names_of_sessions(idle.username)
        if names and context.mode == "orderly":
            raise StepFailedError(f"the idle half is in use by {_shown(names)}", retry=False)
        if target.synced is not None:
            rights, server = target.synced.rights(), self.watch.clusters.client(target.synced.cluster)
            lacking = at_kubernetes(lambda: server.missing(rights))
            if lacking:
                text = "; ".join(map(str, lacking))
                raise StepFailedError(f"the API server lets us not: {text}", retry=False)

    def stands(self, target: Target, context: StepContext) -> bool:
        """Return whether both halves have the passwords that were proven."""
        marks = (self._mark(target, str(context.state["old"])), self._mark(target, str(context.state["new"])))
        return marks == (context.state.get("rotated"), context.state.get("new_mark"))

    def outlook(self, target: Target, context: StepContext) -> Sequence[str]:
        """Say which half becomes which, and who is on the old one now."""
        active = self._active(target)
        on_old = self._now(target, context, active).convergence.on_old
        return (
            f"{target.other(active)} gets a new password and becomes the half in use",
            f"{active} gets a new password and becomes idle",
            f"on {active} now: {_shown(on_old) if on_old else 'nobody'}",
        )

    def undo(self, step: StepSpec, context: StepContext) -> StepResult:
        """Point back to the old half; refused once its password was changed."""
        if step.name != "flip":
            return super().undo(step, context)
        target, old = self.target(context), str(context.state["old"])
        if guarded(lambda: self._mark(target, old)) != context.state["baseline"]:
            raise StepFailedError("the old half has a new password: pointing back helps nobody", retry=False)
        guarded(lambda: self._point(target, old, context))
        return StepResult(note=f"the pointer is back at {old}")

    def _snapshot(self, target: Target, context: StepContext) -> StepResult:
        old = self._active(target)
        new = target.other(old)
        served = self.vault.static_credentials(target.mount, old)
        state = {
            "old": old,
            "new": new,
            "old_user": served.username,
            "baseline": served.rotation.mark,
            "new_baseline": self._mark(target, new),
            "escrow": self.vault.encrypt(*self.escrow, served.password),
            "pooled": target.probe.pooled,
            "consumers": self._now(target, context, old).convergence.to_json(),
        }
        return StepResult(state, note=f"{old} is in use, {new} is idle")

    def _negative_control(self, target: Target, context: StepContext) -> StepResult:
        old = self.vault.decrypt(*self.escrow, _kept(context))
        prober = self._prober(target, str(context.state["old_user"]), context)
        check = prober.negative_control(self.tools.random_password(), old)
        return StepResult(checks=[check], note="a random password is refused, the current one is let in")

    def _refresh(self, target: Target, context: StepContext) -> StepResult:
        """Make the idle half's password new; contained, whoever is still on the former one is put out."""
        new = str(context.state["new"])
        self._rotate_half(target, new, str(context.state["new_baseline"]), context)
        if context.mode == "contain":
            observer, user = self._observer(target), self._role(target, new).username
            ended, _ = end_sessions(
                observer, target.probe.observer, user, observer.clock(), context.now, self.tools.sleep
            )
            return StepResult(note=f"{new} has a new password; {ended} session(s) on its former one ended")
        return StepResult(note=f"{new} has a new password")

    def _new_accepted(self, target: Target, context: StepContext) -> StepResult:
        new = self.vault.static_credentials(target.mount, str(context.state["new"]))
        check = self._prober(target, new.username, context).new_accepted(new.password)
        return StepResult({"new_mark": new.rotation.mark}, [check], "the new half is let in")

    def _flip(self, target: Target, context: StepContext) -> StepResult:
        self._point(target, str(context.state["new"]), context)
        return StepResult({"flipped_at": context.now()}, note=f"the pointer is at {context.state['new']}")

    def _consumers(self, target: Target, context: StepContext) -> StepResult:
        """Orderly: wait until all are on the new half and nobody on the old. Containment waits for nobody."""
        old, new = str(context.state["old"]), str(context.state["new"])
        flipped = float(cast(float, context.state["flipped_at"]))
        pair = self._pair(target, old, new)
        if context.mode == "contain":
            late = self.watch.now(context, pair, self._observer(target), flipped).on_old
            return StepResult(note=f"not waited for: {_shown(late)}" if late else "nobody is on the old half")
        wait = Wait(
            since=flipped,
            window_s=self.tools.settings.response.consumers.window_s,
            wait_s=target.consumers_wait_s,
            observer=target.probe.observer,
            left_alive=f"both halves are alive, the pointer is at {new}",
        )
        seen = self.watch.seen(context, pair, self._observer(target), flipped)
        return looked(context, seen, self.watch.inventory(context), wait)

    def consumers(self, context: StepContext) -> ConsumersNow:
        """Return who is on which half now."""
        target = self.target(context)
        return guarded(lambda: self._now(target, context, self._active(target)))

    def _now(self, target: Target, context: StepContext, active: str) -> ConsumersNow:
        idle = target.other(active)
        pair = self._pair(target, active, idle)
        return ConsumersNow(active, idle, self.watch.now(context, pair, self._observer(target), None))

    def _pair(self, target: Target, old: str, new: str) -> Pair:
        users = [self._role(target, role).username for role in (old, new)]
        named = [("credential", f"database:{target.mount.strip('/')}/{role}") for role in (old, new)]
        return Pair(users[0], users[1], named[0], named[1], target.synced)

    def _rotate(self, target: Target, context: StepContext) -> StepResult:
        """Kill the old half, unless somebody pointed back to it meanwhile."""
        old = str(context.state["old"])
        if self._active(target) == old:
            raise StepFailedError("the pointer is back at the old half: it is in use", retry=False)
        self._rotate_half(target, old, str(context.state["baseline"]), context)
        role = self._role(target, old)
        return StepResult(
            {"rotated_at": role.rotation.at}, note=f"{old} has a new password that nobody was given"
        )

    def _sessions_gone(self, target: Target, context: StepContext) -> StepResult:
        cut = self._observer(target).clock()
        rotated = self._mark(target, str(context.state["old"]))
        ended, check = self._end_sessions(target, context, cut)
        note = f"{ended} session(s) of the old half ended, none left"
        return StepResult({"rotated": rotated, "cut": cut, "ended": ended}, [check], note)

    def _old_refused(self, target: Target, context: StepContext) -> StepResult:
        if not isinstance(context.state.get("escrow"), str):
            note = "the old password is no longer kept: it cannot be tried"
            return StepResult({"tried_old": False}, note=note)
        old = self.vault.decrypt(*self.escrow, _kept(context))
        check = self._prober(target, str(context.state["old_user"]), context).old_refused(old)
        return StepResult(checks=[check], note=f"the old password was refused {check.attempts} times")

    def _prove(self, target: Target, context: StepContext) -> StepResult:
        late, check = self._end_sessions(target, context, float(cast(float, context.state["cut"])))
        if self._mark(target, str(context.state["old"])) != context.state["rotated"]:
            raise MovedOnError("the old half changed again after it was proven", again_from="sessions_gone")
        if self._mark(target, str(context.state["new"])) != context.state["new_mark"]:
            raise MovedOnError("the new half changed after it was proven", again_from="new_accepted")
        note = "proof complete" if not late else f"proof complete; {late} late session(s) ended"
        return StepResult(checks=[check], note=note)

    def _rotate_half(self, target: Target, role: str, baseline: str, context: StepContext) -> None:
        """Rotate a half whose mark still is `baseline`. Raises StepFailedError if it then is the same."""
        if self._mark(target, role) != baseline:
            return
        context.still_leased(2 * _CALL_S)
        self.vault.rotate_static_role(target.mount, role)
        if self._mark(target, role) == baseline:
            raise StepFailedError("the vault said yes but has not rotated", retry=True)

    def _point(self, target: Target, role: str, context: StepContext) -> None:
        seen = pointer.read(self.vault, target.pointer_mount, target.pointer_path)
        if pointer.value(seen, target.pointer_field) == role:
            return
        context.still_leased(2 * _CALL_S)
        mount, path = target.pointer_mount, target.pointer_path
        pointer.switch(self.vault, mount, path, seen, target.pointer_field, role)

    def _active(self, target: Target) -> str:
        seen = pointer.read(self.vault, target.pointer_mount, target.pointer_path)
        active = pointer.value(seen, target.pointer_field)
        if active not in (target.first, target.second):
            raise StepFailedError("the pointer names neither half", retry=False)
        return active

    def _end_sessions(self, target: Target, context: StepContext, cut: float) -> tuple[int, Check]:
        user = str(context.state["old_user"])
        observer, name = self._observer(target), target.probe.observer
        return end_sessions(observer, name, user, cut, context.now, self.tools.sleep)

    def _role(self, target: Target, role: str) -> StaticRole:
        return self.vault.static_role(target.mount, role)

    def _mark(self, target: Target, role: str) -> str:
        return self._role(target, role).rotation.mark

    def _prober(self, target: Target, user: str, context: StepContext) -> Prober:
        return Prober(target.probe, user, context.now, self.tools.sleep, self.tools.monotonic)

    def _observer(self, target: Target) -> Observer:
        return Observer(target.probe, self.spec("sessions_gone").timeout_s)


def _kept(context: StepContext) -> str:
    kept = context.state.get("escrow")
    if not isinstance(kept, str):
        raise StepFailedError("the old password is no longer kept: it cannot be tried", retry=False)
    return kept


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


HANDLER: Final = DatabaseStaticPair
