"""Leases of a dynamic role of the vault's database engine: one, or all of the role under a cap.

The vault keeps neither the user name nor the password of a lease that it gave away. So the database itself is
asked: the users that the role made before and after (a revoked lease's user is dropped), their sessions by
number (a session outlives its user), and a witness: one more credential of the same role, revoked the same
way, which the service must let in before and refuse afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, cast

from pydantic import Field

from config.response import DatabaseProbe
from connectors.rotation.database_users import MAX_USERS, DatabaseUsers
from connectors.rotation.handler import VaultHandler, VaultTarget, Work
from connectors.rotation.probing import Prober
from connectors.rotation.sessions import Observer, observer_missing
from connectors.vault import leases
from connectors.vault.error import VaultRefusedError
from connectors.vault.secret_text import SecretText
from playbooks.ports import StepContext, StepFailedError, StepResult, StepSpec
from playbooks.proof import Check, Grade

WITNESS_S: Final = 900
_LOOKS: Final = 20
_PAUSE_S: Final = 0.1
_CALL_S: Final = 10.0


class DynamicLeasesTarget(VaultTarget):
    """A dynamic role. Over `cap` leases nothing is revoked: a person looks first.

    `users` is the LIKE pattern of the database users that the role makes, if its name template is not
    the vault's own (``v-...-role-...``).
    """

    kind: str = "database_dynamic_leases"
    cap: int = Field(default=50, ge=1, le=500)
    users: str = Field(default="", max_length=128)
    probe: DatabaseProbe = DatabaseProbe()

    @property
    def named_as(self) -> tuple[tuple[str, str], ...]:
        """The path that hands a lease out."""
        return (("secret", f"{self.mount.strip('/')}/creds/{self.name}"),)

    @property
    def pattern(self) -> str:
        """The LIKE pattern; eight letters of the role's name stand in the vault's own template."""
        return self.users or f"v-%-{self.name[:8]}-%".replace("_", r"\_")


Target = DynamicLeasesTarget


class DatabaseDynamicLeases(VaultHandler[DynamicLeasesTarget]):
    """Implements `playbooks.ports.RotationHandler` for kind `database_dynamic_leases`."""

    kind: str = "database_dynamic_leases"
    TARGET = DynamicLeasesTarget
    permissions: tuple[str, ...] = (
        'path "$mount/creds/$name" { capabilities = ["read"] }',
        'path "sys/leases/lookup/$mount/creds/$name" { capabilities = ["list", "sudo"] }',
        'path "sys/leases/revoke/$mount/creds/$name/*" { capabilities = ["update"] }',
        'path "auth/token/create" { capabilities = ["update"] }',
        'path "$escrow_mount/encrypt/$escrow_key" { capabilities = ["update"] }',
        'path "$escrow_mount/decrypt/$escrow_key" { capabilities = ["update"] }',
    )
    example: str = (
        "{kind: database_dynamic_leases, mount: database, name: reports, classification: internal, "
        "owner: data, cap: 50, probe: {host: db.example, sslmode: verify-full, observer: davylamp_observer, "
        "observer_password: {file: /run/secrets/observer}}}"
    )
    best_grade: Grade = "A"
    irreversible: str = "revoked leases stay revoked; whoever held one asks the vault for another"
    services: tuple[str, ...] = ("vault", "database")
    STEPS: ClassVar[tuple[StepSpec, ...]] = (
        StepSpec("snapshot", None, False, deadline_s=60, timeout_s=5, max_attempts=5),
        StepSpec("negative_control", "one more credential of the role, as a witness", False, 60, 5, 5),
        StepSpec("rotate", "vault lease revoke", True, 300, _CALL_S, 6, milestone="rotated"),
        StepSpec("sessions_gone", "pg_terminate_backend", False, 60, 5, 5, milestone="contained"),
        StepSpec("new_accepted", "one credential of the role, revoked again", False, 60, 5, 5),
        StepSpec("old_refused", None, False, deadline_s=120, timeout_s=5, max_attempts=3),
        StepSpec("prove", None, False, deadline_s=60, timeout_s=5, max_attempts=5),
    )

    @classmethod
    def unprovable(cls, target: Target) -> Mapping[str, str]:
        """Ask for the observer's login."""
        return observer_missing(target.probe)

    def works(self) -> Mapping[str, Work[Target]]:
        """Return step name -> what does it."""
        return {
            "snapshot": self._snapshot,
            "negative_control": self._negative_control,
            "rotate": self._rotate,
            "sessions_gone": self._sessions_gone,
            "new_accepted": self._new_accepted,
            "old_refused": self._old_refused,
            "prove": self._prove,
        }

    def ready(self, target: Target, context: StepContext) -> None:
        """Raise unless the observer may end sessions and there is a lease that may be revoked."""
        if not self._observer(target).may_end_sessions():
            raise StepFailedError("the observer has no pg_signal_backend", retry=False)
        self._meant(target, context)

    def stands(self, target: Target, context: StepContext) -> bool:
        """Return whether none of the users that went may log in again."""
        return not self._users(target).still_there(cast("list[int]", context.state["gone"]))

    def outlook(self, target: Target, context: StepContext) -> Sequence[str]:
        """Say how many leases end and how many users and sessions the role has now."""
        users = self._users(target)
        oids = list(users.made_by(target.pattern))
        return (
            f"{len(self._meant(target, context))} lease(s) of {target.mount}/creds/{target.name} are revoked",
            f"the database has {len(oids)} user(s) like {target.pattern}, "
            f"with {users.count_sessions(oids)} session(s)",
            "one more credential is made as a witness and revoked with them",
        )

    def _meant(self, target: Target, context: StepContext) -> frozenset[str]:
        """Return the leases to revoke. Raises StepFailedError for none, too many, or an unknown one."""
        known = self._left(target)
        if context.target.instance:
            if context.target.instance not in known:
                raise StepFailedError(
                    "the vault has no such lease: it is revoked or has expired", retry=False
                )
            return frozenset({context.target.instance})
        if not known:
            raise StepFailedError("the role has no lease: there is nothing to revoke", retry=False)
        if len(known) > target.cap:
            reason = f"the role has {len(known)} leases, over the cap of {target.cap}: a person must look"
            raise StepFailedError(reason, retry=False)
        return known

    def _snapshot(self, target: Target, context: StepContext) -> StepResult:
        """Leases, then users, then leases again: a lease that is in both lists has its user in the middle.

        As many users as leases: each is one lease's. More of them: whose is whose cannot be told.
        """
        meant = self._meant(target, context)
        before = self._left(target)
        users = self._users(target).made_by(target.pattern)
        after = self._left(target)
        known = before & after
        if len(users) < len(known) or len(known) > MAX_USERS:
            reason = f"{len(known)} leases but {len(users)} users like {target.pattern}: set `users`"
            raise StepFailedError(reason, retry=False)
        state = {
            "leases": sorted(meant & known),
            "known": sorted(known),
            "users": sorted(users),
            "exact": before == after and len(users) == len(known),
            "pooled": target.probe.pooled,
        }
        return StepResult(state, note=f"{len(known)} lease(s), {len(users)} database user(s) of the role")

    def _negative_control(self, target: Target, context: StepContext) -> StepResult:
        witness = self._issue(target)
        oids = list(self._users(target).made_by(witness.username.replace("_", r"\_")))
        prober = self._prober(target, witness.username, context)
        check = prober.negative_control(self.tools.random_password(), witness.password)
        state = {
            "witness": witness.lease,
            "witness_user": witness.username,
            "witness_oids": oids,
            "escrow": self.vault.encrypt(*self.escrow, witness.password),
        }
        return StepResult(state, [check], "a random password is refused, the witness is let in")

    def _rotate(self, target: Target, context: StepContext) -> StepResult:
        """Revoke what still is there, one by one; the vault has dropped the user when it answers."""
        wanted = {*cast("list[str]", context.state["leases"]), str(context.state["witness"])}
        left = sorted(wanted & self._left(target))
        for lease in left:
            context.still_leased(2 * _CALL_S)
            self._revoke(target, lease)
        at = self.vault.health().server_time
        still = wanted & self._left(target)
        if still:
            raise StepFailedError(f"{len(still)} lease(s) are still there after the revocation", retry=True)
        return StepResult({"rotated_at": at}, note=f"{len(wanted) - 1} lease(s) and the witness revoked")

    def _revoke(self, target: Target, lease: str) -> None:
        """Revoke one lease. A vault that cannot (the user owns things) is asked again, then a person is."""
        failure = ""
        try:
            leases.revoke(self.vault, target.mount, target.name, lease)
        except VaultRefusedError as error:
            failure = str(error)
        if failure:
            raise StepFailedError(f"a lease cannot be revoked: {failure}", retry=True)

    def _sessions_gone(self, target: Target, context: StepContext) -> StepResult:
        first = context.now()
        gone = self._gone(target, context)
        ended, check = self._end_sessions(target, context, gone, first)
        note = f"{len(gone)} user(s) dropped, {ended} session(s) ended, none left"
        return StepResult({"gone": gone}, [check], note)

    def _gone(self, target: Target, context: StepContext) -> list[int]:
        """Return the users that are no more. Raises StepFailedError when fewer are gone than leases ended."""
        known = cast("list[int]", context.state["users"]) + cast("list[int]", context.state["witness_oids"])
        there = self._users(target).still_there(known)
        gone = [oid for oid in known if oid not in there]
        ended = len({*cast("list[str]", context.state["known"])} - self._left(target)) + 1
        if len(gone) < ended:
            reason = f"{ended} leases have ended, but only {len(gone)} of the database users are gone"
            raise StepFailedError(reason, retry=True)
        return gone

    def _left(self, target: Target) -> frozenset[str]:
        return leases.leases(self.vault, target.mount, target.name)

    def _new_accepted(self, target: Target, context: StepContext) -> StepResult:
        new = self._issue(target)
        try:
            check = self._prober(target, new.username, context).new_accepted(new.password)
        finally:
            leases.revoke(self.vault, target.mount, target.name, new.lease)
        return StepResult(checks=[check], note="a new credential of the role is let in")

    def _old_refused(self, target: Target, context: StepContext) -> StepResult:
        user, kept = str(context.state["witness_user"]), context.state.get("escrow")
        if not isinstance(kept, str):
            note = "the witness is no longer kept: it cannot be tried"
            return StepResult({"tried_old": False}, note=note)
        old = self.vault.decrypt(*self.escrow, kept)
        check = self._prober(target, user, context).old_refused(old)
        self._gone(target, context)
        note = f"the witness was refused {check.attempts} times"
        if not context.state["exact"]:
            note += "; more users than leases are called like the role's: whose is whose cannot be told"
        return StepResult({"tried_old": context.state["exact"]}, [check], note)

    def _prove(self, target: Target, context: StepContext) -> StepResult:
        first = context.now()
        gone = cast("list[int]", context.state["gone"])
        back = self._users(target).still_there(gone)
        if back:
            raise StepFailedError(f"{len(back)} user(s) may log in again", retry=False)
        late, check = self._end_sessions(target, context, gone, first)
        note = "proof complete" if not late else f"proof complete; {late} late session(s) ended"
        return StepResult(checks=[check], note=note)

    def _end_sessions(
        self, target: Target, context: StepContext, gone: Sequence[int], first: float
    ) -> tuple[int, Check]:
        users, ended = self._users(target), 0
        observer = target.probe.observer
        for tries in range(1, _LOOKS + 1):
            ended += users.end_sessions(gone)
            if users.count_sessions(gone) == 0:
                return ended, Check(
                    "sessions_gone", True, tries, first, context.now(), observer, "0 sessions"
                )
            self.tools.sleep(_PAUSE_S)
        check = Check("sessions_gone", False, _LOOKS, first, context.now(), observer, "open")
        raise StepFailedError("old sessions do not end", retry=True, checks=[check])

    def _issue(self, target: Target) -> leases.DynamicCredentials:
        token: SecretText = leases.short_lived_token(self.vault, WITNESS_S)
        return leases.issue(self.vault, target.mount, target.name, token)

    def _prober(self, target: Target, user: str, context: StepContext) -> Prober:
        return Prober(target.probe, user, context.now, self.tools.sleep, self.tools.monotonic)

    def _users(self, target: Target) -> DatabaseUsers:
        return DatabaseUsers(self._observer(target))

    def _observer(self, target: Target) -> Observer:
        return Observer(target.probe, self.spec("sessions_gone").timeout_s)


HANDLER: Final = DatabaseDynamicLeases
