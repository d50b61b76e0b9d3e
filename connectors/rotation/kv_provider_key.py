"""A provider's key that the vault's KV engine distributes: new key, new version, old key retired and dead.

Making a key is not idempotent, and its secret is told once. So the KV secret decides: a key that stands there
and at the provider is the new one; a key that nobody knew before, made since the action began, never used and
standing nowhere, is what a lost answer left behind, and goes before another is made. The old key's id is kept
until the old key is proven dead.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, TypeVar, cast

from connectors.consumers.secret_watch import SecretWatch
from connectors.consumers.waiting import Wait, looked
from connectors.kubernetes.step_failure import KUBERNETES, at_kubernetes
from connectors.rotation.failing import guarded
from connectors.rotation.handler import VaultHandler, Work
from connectors.rotation.kv_provider import NewKey, Provider, Tried, at_provider
from connectors.rotation.kv_provider_target import ProviderKeyTarget
from connectors.rotation.kv_store import KvSecret, read, write
from connectors.rotation.tools import Tools
from connectors.vault.secret_text import SecretText
from detectors.identifier import derive
from playbooks.ports import ConsumersNow, StepContext, StepFailedError, StepResult, StepSpec
from playbooks.proof import MIN_REFUSALS, Check, CheckName

_SKEW_S: Final = 60.0
_ACCEPTED: Final = 5
_PAUSE_S: Final = 1.0
_MAX_UNANSWERED: Final = 3


T = TypeVar("T", bound=ProviderKeyTarget)


class ProviderKeyHandler(VaultHandler[T]):
    """What kinds with a provider share; a kind says its targets and how its provider is reached."""

    permissions: tuple[str, ...] = (
        'path "$mount/data/$path" { capabilities = ["read", "update"] }',
        'path "$escrow_mount/encrypt/$escrow_key" { capabilities = ["update"] }',
        'path "$escrow_mount/decrypt/$escrow_key" { capabilities = ["update"] }',
    )
    irreversible: str = "a deleted key is gone for good; a disabled one can be enabled again"
    services: tuple[str, ...] = ("vault", "provider", KUBERNETES)
    STEPS: ClassVar[tuple[StepSpec, ...]] = (
        StepSpec("escrow", None, False, deadline_s=60, timeout_s=5, max_attempts=5),
        StepSpec("negative_control", None, False, deadline_s=60, timeout_s=5, max_attempts=5),
        StepSpec("rotate", "provider create key, vault kv write", True, 180, 5, 6, milestone="rotated"),
        StepSpec("new_accepted", None, False, deadline_s=180, timeout_s=5, max_attempts=8),
        StepSpec("consumers", None, False, deadline_s=7200, timeout_s=5, max_attempts=1000),
        StepSpec(
            "retire", "provider retire old key", False, 120, 5, 6, milestone="contained", undo="enable it"
        ),
        StepSpec("sessions_gone", "provider end sessions", False, deadline_s=60, timeout_s=5, max_attempts=5),
        StepSpec("old_refused", None, False, deadline_s=900, timeout_s=5, max_attempts=6),
    )

    def __init__(self, targets: Mapping[str, T], tools: Tools) -> None:
        super().__init__(targets, tools)
        self._sides: dict[str, Provider] = {}
        self.watch = SecretWatch(tools)

    @abstractmethod
    def provider(self, target: T) -> Provider:
        """Return the provider's side of `target`; asked once a target."""

    def side(self, target: T) -> Provider:
        """Return the provider's side of `target`."""
        found = self._sides.get(target.key)
        if found is None:
            found = self._sides[target.key] = self.provider(target)
        return found

    def works(self) -> Mapping[str, Work[T]]:
        """Return step name -> what does it."""
        found: Mapping[str, Work[T]] = {
            "escrow": self._keep_old,
            "negative_control": self._negative_control,
            "rotate": self._rotate,
            "new_accepted": self._new_accepted,
            "consumers": self._consumers,
            "retire": self._retire,
            "sessions_gone": self._sessions_gone,
            "old_refused": self._old_refused,
        }
        return {name: _through(work) for name, work in found.items()}

    def ready(self, target: T, context: StepContext) -> None:
        """Raise unless the secret's key is one of the provider's, with room for another beside it."""
        at_provider(lambda: self._fit_to_rotate(target, context))
        if target.synced is not None:
            rights, server = target.synced.rights(), self.watch.clusters.client(target.synced.cluster)
            lacking = at_kubernetes(lambda: server.missing(rights))
            if lacking:
                named = "; ".join(map(str, lacking))
                raise StepFailedError(f"the API server lets us not: {named}", retry=False)

    def outlook(self, target: T, context: StepContext) -> Sequence[str]:
        """Say which key is replaced, when it was last used, and where the new one goes."""
        provider = self.side(target)
        old = self._read(target).value(target.id_field).reveal()
        used = at_provider(lambda: provider.last_used(old))
        since = "not known to be used" if used is None else f"last used {context.now() - used:.0f} s ago"
        return (
            f"key {old[:64]} at {provider.observer} ({since}) is replaced",
            f"the new key is written to {target.mount}/{target.path}; others of its fields stay",
            f"the old key is {target.retire}d",
        )

    def undo(self, step: StepSpec, context: StepContext) -> StepResult:
        """Enable the old key again. Raises StepFailedError for a step without undo and for a deleted key."""
        target = self.target(context)
        if step.name != "retire" or target.retire != "disable":
            return super().undo(step, context)
        at_provider(lambda: self.side(target).enable(str(context.state["old_id"])))
        return StepResult(note="the old key works again")

    def _fit_to_rotate(self, target: T, context: StepContext) -> None:
        provider = self.side(target)
        current = self._read(target)
        current.value(target.secret_field)
        old, known = current.value(target.id_field).reveal(), provider.listed()
        if not any(key.id == old and key.active for key in known):
            raise StepFailedError("the key in the vault is none that works at the provider", retry=False)
        if len(known) >= provider.max_keys:
            others = ", ".join(key.id[:64] for key in known if key.id != old)
            raise StepFailedError(
                f"no room for a new key: {others} must go first, by somebody who knows it", retry=False
            )
        provider.may_retire(old)

    def _keep_old(self, target: T, context: StepContext) -> StepResult:
        current = self._read(target)
        state = {
            "old_id": current.value(target.id_field).reveal(),
            "kv_version": current.version,
            "known": [key.id for key in self.side(target).listed()],
            "begun_at": context.now(),
            "consumers": self.watch.now(context, target, None, None).to_json(),
            "escrow": self.vault.encrypt(*self.escrow, current.value(target.secret_field)),
        }
        return StepResult(state, note="kept the old key's ciphertext for the proof")

    def _negative_control(self, target: T, context: StepContext) -> StepResult:
        first, provider = context.now(), self.side(target)
        old = self._old(context)
        wrong = self._answered(provider, NewKey(old.id, self.tools.random_password()))
        if wrong.verdict != "refused":
            check = self._check("negative_control", False, 1, first, context, provider, wrong)
            raise StepFailedError("the provider takes a random secret", retry=False, checks=[check])
        right = self._answered(provider, old)
        taken = right.verdict == "accepted"
        check = self._check("negative_control", taken, 2, first, context, provider, wrong)
        if not taken:
            raise StepFailedError("the provider refuses the key of the vault", retry=False, checks=[check])
        return StepResult(checks=[check], note="a random secret is refused, the vault's key is taken")

    def _rotate(self, target: T, context: StepContext) -> StepResult:
        provider, current = self.side(target), self._read(target)
        held, known = current.value(target.id_field).reveal(), provider.listed()
        old = str(context.state["old_id"])
        if held != old and any(key.id == held and key.active for key in known):
            return self._rotated(held, current.version, context, "the new key stood in the vault already")
        self._delete_orphans(target, context, provider, held)
        context.still_leased(2 * self.spec("rotate").timeout_s)
        new = provider.create(derive("provider-key", context.action_id, str(current.version)))
        context.still_leased(2 * self.spec("rotate").timeout_s)
        changes = {target.id_field: SecretText(new.id), target.secret_field: new.secret}
        version = write(self.vault, target.mount, target.path, current, changes)
        return self._rotated(new.id, version, context, "a new key was made and written to the vault")

    def _rotated(self, key_id: str, version: int, context: StepContext, note: str) -> StepResult:
        state = {"new_id": key_id, "new_version": version, "rotated_at": context.now()}
        return StepResult(state, note=note)

    def _delete_orphans(self, target: T, context: StepContext, provider: Provider, held: str) -> None:
        """Delete what an earlier attempt of this action left; before the second there can be none of ours."""
        begun = float(cast(float, context.state["begun_at"]))
        known = {*cast("list[str]", context.state["known"]), held}
        for key in provider.listed():
            if key.id in known:
                continue
            ours = context.attempt > 1 and (key.created_at is None or key.created_at >= begun - _SKEW_S)
            if not ours or provider.last_used(key.id) is not None:
                raise StepFailedError(f"key {key.id[:64]} appeared, and is not ours", retry=False)
            context.still_leased(2 * self.spec("rotate").timeout_s)
            provider.delete(key.id)

    def _new_accepted(self, target: T, context: StepContext) -> StepResult:
        """Five in a row: a provider that copies slowly takes a new key here and refuses it there."""
        first, provider = context.now(), self.side(target)
        served = self._served(target, context)
        answers = [self._answered(provider, served) for _ in range(_ACCEPTED)]
        last = next((one for one in answers if one.verdict != "accepted"), answers[-1])
        taken = last.verdict == "accepted"
        check = self._check("new_accepted", taken, len(answers), first, context, provider, last)
        if not taken:
            raise StepFailedError("the new key is refused", retry=True, checks=[check])
        return StepResult(checks=[check], note=f"the new key was taken {len(answers)} times in a row")

    def _consumers(self, target: T, context: StepContext) -> StepResult:
        """In orderly mode all must have the new key and the old one rest; contain mode tells who has not."""
        new = self._served(target, context).secret
        since = float(cast(float, context.state["rotated_at"]))
        if context.mode == "contain":
            late = self.watch.now(context, target, new, since).on_old
            told = [f"still have the old one: {', '.join(late[:8])}"] if late else []
            return StepResult(note="; ".join(["not waited for: the old key is retired at once", *told]))
        moved = self._moved(target, context, new, since)
        if moved is not None and not moved.checks:
            return moved
        first, provider = context.now(), self.side(target)
        used = provider.last_used(str(context.state["old_id"]))
        quiet = used is None or context.now() - used >= target.quiet_s
        code = "never" if used is None else f"{context.now() - used:.0f} s ago"
        check = self._check("consumers", quiet, 1, first, context, provider, Tried("accepted", code))
        if not quiet:
            kept = moved.state["consumers"] if moved is not None else None
            raise StepFailedError(
                f"the old key was used {code}",
                retry=True,
                checks=[check],
                kept=cast("Mapping[str, object] | None", kept),
            )
        note = f"the old key rests, last used: {code}"
        if moved is None:
            return StepResult(checks=[check], note=note)
        return StepResult(moved.state, moved.checks, f"{moved.note}; {note}")

    def _moved(self, target: T, context: StepContext, new: SecretText, since: float) -> StepResult | None:
        """Return that all known consumers have the new key, None when nobody is known. Else raises."""
        seen, entries = self.watch.seen(context, target, new, since), self.watch.inventory(context)
        learned = cast("Mapping[str, object]", context.state.get("consumers") or {})
        if not (seen or entries or learned.get("consumers") or context.kept):
            return None
        wait = Wait(
            since=since,
            window_s=self.tools.settings.response.consumers.window_s,
            wait_s=target.consumers_wait_s,
            observer=self.side(target).observer,
            left_alive="the old key works, and the new one too",
        )
        return looked(context, seen, entries, wait)

    def consumers(self, context: StepContext) -> ConsumersNow:
        """Return who has the key of the vault now."""
        target = self.target(context)
        held = guarded(lambda: self._read(target).value(target.id_field).reveal())
        return ConsumersNow(held[:64], "", self.watch.now(context, target, None, None))

    def _retire(self, target: T, context: StepContext) -> StepResult:
        served = self._served(target, context)
        old, provider = str(context.state["old_id"]), self.side(target)
        if served.id == old:
            raise StepFailedError("the vault serves the old key again: it is not retired", retry=False)
        context.still_leased(2 * self.spec("retire").timeout_s)
        if target.retire == "disable":
            provider.disable(old)
        else:
            provider.delete(old)
        return StepResult({"retired_at": context.now()}, note=f"the old key was {target.retire}d")

    def _sessions_gone(self, target: T, context: StepContext) -> StepResult:
        first, provider = context.now(), self.side(target)
        done = provider.end_sessions(float(cast(float, context.state["retired_at"])) + _SKEW_S)
        if not done:
            return StepResult({"without": ["sessions_gone"]}, note="whether sessions live on is not known")
        check = self._check("sessions_gone", True, 1, first, context, provider, Tried("refused", done))
        return StepResult(checks=[check], note=done)

    def _old_refused(self, target: T, context: StepContext) -> StepResult:
        first, provider = context.now(), self.side(target)
        old, refusals, unanswered = self._old(context), 0, 0
        while True:
            answer = provider.probe(old)
            now = context.now()
            if answer.verdict == "accepted":
                check = self._check("old_refused", False, refusals + 1, first, context, provider, answer)
                self.tools.sleep(_PAUSE_S)
                raise StepFailedError("the old key is still taken", retry=True, checks=[check])
            if answer.verdict == "unanswered":
                unanswered += 1
                if unanswered >= _MAX_UNANSWERED:
                    reason = f"the provider does not answer ({answer.code})"
                    raise StepFailedError(reason, retry=True, unavailable="provider")
            else:
                first = now if refusals == 0 else first
                refusals += 1
                if refusals >= MIN_REFUSALS and now - first >= target.refused_s:
                    check = self._check("old_refused", True, refusals, first, context, provider, answer)
                    return StepResult(checks=[check], note=f"the old key was refused {refusals} times")
            self.tools.sleep(target.refused_s / MIN_REFUSALS)

    def _served(self, target: T, context: StepContext) -> NewKey:
        current = self._read(target)
        return NewKey(current.value(target.id_field).reveal(), current.value(target.secret_field))

    def _old(self, context: StepContext) -> NewKey:
        secret = self.vault.decrypt(*self.escrow, str(context.state["escrow"]))
        return NewKey(str(context.state["old_id"]), secret)

    def _read(self, target: T) -> KvSecret:
        return read(self.vault, target.mount, target.path)

    def _answered(self, provider: Provider, key: NewKey) -> Tried:
        answer = provider.probe(key)
        if answer.verdict == "unanswered":
            reason = f"the provider does not answer ({answer.code})"
            raise StepFailedError(reason, retry=True, unavailable="provider")
        return answer

    def _check(
        self,
        name: CheckName,
        passed: bool,
        tries: int,
        first: float,
        context: StepContext,
        provider: Provider,
        answer: Tried,
    ) -> Check:
        return Check(name, passed, tries, first, context.now(), provider.observer, answer.code)


def _through(work: Work[T]) -> Work[T]:
    def through(target: T, context: StepContext) -> StepResult:
        return at_provider(lambda: work(target, context))

    return through
