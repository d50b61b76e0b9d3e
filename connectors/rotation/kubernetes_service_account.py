"""Bound tokens of a Kubernetes service account: ended by its pod's deletion, or by the account's remaking.

A bound token cannot be revoked singly (Kubernetes, "Service account tokens"): it dies with the object that it
is bound to. With an instance (``web/web-1``) that pod goes; without, the account is deleted and made again
under its name, so that every binding stays and every token dies, and its pods are restarted, since they would
hold dead tokens. A *witness*, minted before and bound to the same object, is what the proof tries: the API
server tells it from the stolen one by nothing but its own id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import ClassVar, Final, cast

from pydantic import Field

from connectors.kubernetes.error import KubernetesConflictError, KubernetesMissingError
from connectors.kubernetes.kinds import POD, SERVICE_ACCOUNT
from connectors.kubernetes.names import object_name
from connectors.kubernetes.permission import Permission
from connectors.kubernetes.step_failure import at_kubernetes
from connectors.kubernetes.token import REVIEW, mint, review
from connectors.kubernetes.workload import few
from connectors.rotation.handler import Work
from connectors.rotation.kubernetes_handler import KubernetesHandler, KubernetesTarget, reviewed
from connectors.rotation.kubernetes_refusal import until_refused
from connectors.vault.secret_text import SecretText
from detectors.event import Fields
from detectors.finding import parse_rfc3339
from playbooks.ports import StepContext, StepFailedError, StepResult, StepSpec
from playbooks.proof import Grade

MAX_PODS: Final = 50
_BODY: Final = ("imagePullSecrets", "secrets", "automountServiceAccountToken")
_METADATA: Final = ("name", "namespace", "labels", "annotations", "ownerReferences", "finalizers")


class KubernetesServiceAccountTarget(KubernetesTarget):
    """`mount` is the namespace, `name` the account. Pods that nothing makes again go only on demand."""

    kind: str = "kubernetes_service_account"
    delete_bare_pods: bool = False
    max_pods: int = Field(default=20, ge=1, le=MAX_PODS)


Target = KubernetesServiceAccountTarget


class KubernetesServiceAccount(KubernetesHandler[KubernetesServiceAccountTarget]):
    """Implements `playbooks.ports.RotationHandler` for kind `kubernetes_service_account`."""

    kind: str = "kubernetes_service_account"
    example: str = "{kind: kubernetes_service_account, mount: payments, name: web, owner: shop}"
    best_grade: Grade = "A"
    irreversible: str = "the pods that are deleted are gone with what was in them: take evidence before"
    TARGET = KubernetesServiceAccountTarget
    STEPS: ClassVar[tuple[StepSpec, ...]] = (
        StepSpec("witness", None, False, deadline_s=60, timeout_s=5, max_attempts=5),
        StepSpec("negative_control", None, False, deadline_s=60, timeout_s=5, max_attempts=5),
        StepSpec("rotate", "kubernetes delete", True, 120, 5, 6, milestone="rotated"),
        StepSpec("new_accepted", None, False, deadline_s=60, timeout_s=5, max_attempts=6),
        StepSpec("sessions_gone", "kubernetes delete pods", False, 240, 5, 12, milestone="contained"),
        StepSpec("old_refused", None, False, deadline_s=180, timeout_s=5, max_attempts=4),
    )

    def at_server(self) -> Mapping[str, Work[Target]]:
        """Return step name -> what does it."""
        return {
            "witness": self._witness,
            "negative_control": self._negative_control,
            "rotate": self._rotate,
            "new_accepted": self._new_accepted,
            "sessions_gone": self._sessions_gone,
            "old_refused": self._old_refused,
        }

    def rights(self, target: Target) -> Sequence[Permission]:
        """Return exactly the rights that this needs at the API server."""
        own = [SERVICE_ACCOUNT.may(verb, target.mount, target.name) for verb in ("get", "delete")]
        minting = SERVICE_ACCOUNT.may("create", target.mount, target.name, "token")
        pods = [POD.may(verb, target.mount) for verb in ("list", "delete")]
        return (*own, SERVICE_ACCOUNT.may("create", target.mount), minting, *pods, REVIEW)

    def ready(self, target: Target, context: StepContext) -> None:
        """Raise unless account, pods and rights are fit."""
        self.fit(target, target.name)
        pods = at_kubernetes(lambda: self._affected(target, context))
        if context.target.instance and not pods:
            raise StepFailedError("no such pod runs under this account", retry=False)
        if len(pods) > target.max_pods:
            reason = f"{len(pods)} pods run under it, {target.max_pods} may be restarted at once"
            raise StepFailedError(reason, retry=False)
        bare = [_name(pod) for pod in pods if not _metadata(pod).get("ownerReferences")]
        if bare and not target.delete_bare_pods:
            raise StepFailedError(f"nothing would make these pods again: {few(bare)}", retry=False)

    def outlook(self, target: Target, context: StepContext) -> Sequence[str]:
        """Say what is deleted and who is restarted."""
        pods = at_kubernetes(lambda: self._affected(target, context))
        names = few([_name(pod) for pod in pods]) or "none runs now"
        if context.target.instance:
            return (f"pod {names} is deleted; its token dies with it", "the account's other pods go on")
        return (
            f"service account {target.mount}/{target.name} is deleted and made again under its name",
            f"{len(pods)} pod(s) are restarted: {names}",
        )

    def _witness(self, target: Target, context: StepContext) -> StepResult:
        server = self.server(target)
        account = server.get(SERVICE_ACCOUNT, target.mount, target.name)
        pods = self._affected(target, context)
        bound = _metadata(pods[0]) if context.target.instance else None
        minted = mint(server, target.mount, target.name, bound)
        state = {
            "account_uid": _uid(account),
            "account": _remade(account),
            "pod_uids": [_uid(pod) for pod in pods],
            "witness_until": minted.expires_at,
            "escrow": self.vault.encrypt(*self.escrow, minted.token),
        }
        return StepResult(state, note="a witness token of the same binding is kept for the proof")

    def _negative_control(self, target: Target, context: StepContext) -> StepResult:
        first, server = context.now(), self.server(target)
        if review(server, self.tools.random_password()).accepted:
            check = reviewed("negative_control", False, 1, first, context, "authenticated=true")
            raise StepFailedError("the API server takes a random token", retry=False, checks=[check])
        if not review(server, self._old(context)).accepted:
            check = reviewed("negative_control", False, 2, first, context, "authenticated=false")
            raise StepFailedError("the API server refuses the witness", retry=True, checks=[check])
        check = reviewed("negative_control", True, 2, first, context, "authenticated=false")
        return StepResult(checks=[check], note="a random token is refused, the witness is taken")

    def _rotate(self, target: Target, context: StepContext) -> StepResult:
        server = self.server(target)
        if context.target.instance:
            self._delete_pods(target, context)
            return StepResult({"rotated_at": context.now()}, note="the pod is deleted")
        old = str(context.state["account_uid"])
        found = server.find(SERVICE_ACCOUNT, target.mount, target.name)
        if found is not None and _uid(found) == old:
            context.still_leased(2 * self.spec("rotate").timeout_s)
            server.delete(SERVICE_ACCOUNT, target.mount, target.name, uid=old)
            found = server.find(SERVICE_ACCOUNT, target.mount, target.name)
        if found is None:
            server.create(SERVICE_ACCOUNT, target.mount, cast(Fields, context.state["account"]))
            found = server.get(SERVICE_ACCOUNT, target.mount, target.name)
        if _uid(found) == old:
            raise StepFailedError("the account is still being deleted", retry=True)
        made = parse_rfc3339(str(_metadata(found)["creationTimestamp"]))
        state = {"new_uid": _uid(found), "rotated_at": made}
        return StepResult(state, note="the account was deleted and made again")

    def _new_accepted(self, target: Target, context: StepContext) -> StepResult:
        first, server = context.now(), self.server(target)
        fresh = review(server, mint(server, target.mount, target.name).token)
        wanted = context.state.get("new_uid", context.state["account_uid"])
        passed = fresh.accepted and fresh.uid == wanted
        check = reviewed("new_accepted", passed, 1, first, context, f"authenticated={passed}".lower())
        if not passed:
            raise StepFailedError("a new token of the account is refused", retry=True, checks=[check])
        return StepResult(checks=[check], note="a new token of the account is taken")

    def _sessions_gone(self, target: Target, context: StepContext) -> StepResult:
        """Open watches and sessions live on in a process: they end with the pods that hold them."""
        first = context.now()
        left = self._delete_pods(target, context)
        check = reviewed("sessions_gone", not left, 1, first, context, f"{len(left)} pods")
        if left:
            reason = f"pods with old tokens still end: {few(left)}"
            self.tools.sleep(1.0)
            raise StepFailedError(reason, retry=True, checks=[check])
        return StepResult(checks=[check], note="no pod from before is left")

    def _old_refused(self, target: Target, context: StepContext) -> StepResult:
        check = until_refused(self.server(target), self._old(context), context, self.tools.sleep)
        return StepResult(checks=[check], note=f"the old token was refused {check.attempts} times")

    def _delete_pods(self, target: Target, context: StepContext) -> list[str]:
        """Delete what is left of the old pods; return the names of those that are still there."""
        server, old = self.server(target), set(cast("list[str]", context.state["pod_uids"]))
        until = float(cast(float, context.state.get("rotated_at", 0.0)))
        left: set[str] = set()
        for pod in self._affected(target, context):
            if _uid(pod) not in old and (context.target.instance or _made(pod) > until):
                continue
            left.add(_uid(pod))
            if "deletionTimestamp" in _metadata(pod):
                continue
            context.still_leased(2 * self.spec("rotate").timeout_s)
            with suppress(KubernetesMissingError, KubernetesConflictError):
                server.delete(POD, target.mount, _name(pod), uid=_uid(pod))
        still = self._affected(target, context) if left else []
        return [_name(pod) for pod in still if _uid(pod) in left]

    def _affected(self, target: Target, context: StepContext) -> list[Fields]:
        pods = self.server(target).listed(POD, target.mount)
        mine = [pod for pod in pods if _account(pod) == target.name and not _ended(pod)]
        instance = context.target.instance
        return [pod for pod in mine if _name(pod) == object_name(instance)] if instance else mine

    def _old(self, context: StepContext) -> SecretText:
        until = float(cast(float, context.state["witness_until"]))
        if context.now() > until - 60:
            raise StepFailedError("the witness ends by itself now: its refusal proves nothing", retry=False)
        return self.vault.decrypt(*self.escrow, str(context.state["escrow"]))


def _metadata(found: Fields) -> Fields:
    return cast(Fields, found.get("metadata") or {})


def _name(found: Fields) -> str:
    return str(_metadata(found).get("name"))


def _uid(found: Fields) -> str:
    return str(_metadata(found).get("uid"))


def _made(found: Fields) -> float:
    return parse_rfc3339(str(_metadata(found)["creationTimestamp"]))


def _account(pod: Fields) -> str:
    return str(cast(Fields, pod.get("spec") or {}).get("serviceAccountName") or "default")


def _ended(pod: Fields) -> bool:
    return cast(Fields, pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _remade(account: Fields) -> Fields:
    """Return the account as it is made again: what people wrote, nothing that the server did."""
    metadata = {key: value for key, value in _metadata(account).items() if key in _METADATA}
    kept = {key: account[key] for key in _BODY if key in account}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, **kept}


HANDLER: Final = KubernetesServiceAccount
