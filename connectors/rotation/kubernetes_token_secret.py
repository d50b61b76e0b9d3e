"""A long-lived token of a service account in a Secret, which is deleted, made again, filled by the cluster.

Kubernetes, "Manually create a long-lived API token for a ServiceAccount": the token is taken only while the
Secret holds it. Such a token never ends by itself, so a kind that mints bound tokens instead is the way out;
the playbook says so. Connections that were opened with the old token live on until they are closed: the API
server ends none, and nobody can ask it which there are. So the grade is B, though the old value is refused.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, cast

from connectors.kubernetes.kinds import SECRET
from connectors.kubernetes.permission import Permission
from connectors.kubernetes.step_failure import at_kubernetes
from connectors.kubernetes.token import REVIEW, review
from connectors.rotation.handler import Work
from connectors.rotation.kubernetes_handler import KubernetesHandler, KubernetesTarget, reviewed
from connectors.rotation.kubernetes_refusal import until_refused
from connectors.vault.secret_text import SecretText
from detectors.event import Fields
from playbooks.ports import StepContext, StepFailedError, StepResult, StepSpec
from playbooks.proof import Grade

TYPE: Final = "kubernetes.io/service-account-token"
ACCOUNT: Final = "kubernetes.io/service-account.name"
_KEPT: Final = ("name", "namespace", "labels", "ownerReferences")


class KubernetesTokenSecretTarget(KubernetesTarget):
    """`mount` is the namespace, `name` the Secret."""

    kind: str = "kubernetes_token_secret"


Target = KubernetesTokenSecretTarget


class KubernetesTokenSecret(KubernetesHandler[KubernetesTokenSecretTarget]):
    """Implements `playbooks.ports.RotationHandler` for kind `kubernetes_token_secret`."""

    kind: str = "kubernetes_token_secret"
    example: str = "{kind: kubernetes_token_secret, mount: payments, name: web-token, owner: shop}"
    best_grade: Grade = "B"
    irreversible: str = "the old token is gone for good; the cluster writes a new one into the Secret"
    TARGET = KubernetesTokenSecretTarget
    ROUTINE = True
    STEPS: ClassVar[tuple[StepSpec, ...]] = (
        StepSpec("escrow", None, False, deadline_s=60, timeout_s=5, max_attempts=5),
        StepSpec("negative_control", None, False, deadline_s=60, timeout_s=5, max_attempts=5),
        StepSpec("rotate", "kubernetes delete Secret", True, 120, 5, 6, milestone="rotated"),
        StepSpec("new_accepted", None, False, deadline_s=120, timeout_s=5, max_attempts=12),
        StepSpec("old_refused", None, False, 180, 5, 4, milestone="contained"),
    )

    def at_server(self) -> Mapping[str, Work[Target]]:
        """Return step name -> what does it."""
        return {
            "escrow": self._keep_old,
            "negative_control": self._negative_control,
            "rotate": self._rotate,
            "new_accepted": self._new_accepted,
            "old_refused": self._old_refused,
        }

    def rights(self, target: Target) -> Sequence[Permission]:
        """Return exactly the rights that this needs at the API server."""
        own = [SECRET.may(verb, target.mount, target.name) for verb in ("get", "delete")]
        return (*own, SECRET.may("create", target.mount), REVIEW)

    def ready(self, target: Target, context: StepContext) -> None:
        """Raise unless the Secret is one of a service account's token, and we may remake it."""
        self.fit(target, "")
        at_kubernetes(lambda: _token(self._secret(target)))

    def outlook(self, target: Target, context: StepContext) -> Sequence[str]:
        """Say whose token is replaced."""
        notes = _notes(at_kubernetes(lambda: self._secret(target)))
        return (
            f"Secret {target.mount}/{target.name} is deleted and made again",
            f"the cluster writes a new token of service account {str(notes.get(ACCOUNT))[:253]} into it",
            "who read the old token from it must read again; the API server ends no open connection",
        )

    def _keep_old(self, target: Target, context: StepContext) -> StepResult:
        found = self._secret(target)
        state = {
            "old_uid": _uid(found),
            "remade": _remade(found),
            "escrow": self.vault.encrypt(*self.escrow, _token(found)),
        }
        return StepResult(state, note="kept the old token's ciphertext for the proof")

    def _negative_control(self, target: Target, context: StepContext) -> StepResult:
        first, server = context.now(), self.server(target)
        if review(server, self.tools.random_password()).accepted:
            check = reviewed("negative_control", False, 1, first, context, "authenticated=true")
            raise StepFailedError("the API server takes a random token", retry=False, checks=[check])
        if not review(server, self._old(context)).accepted:
            check = reviewed("negative_control", False, 2, first, context, "authenticated=false")
            raise StepFailedError("the API server refuses the Secret's token", retry=False, checks=[check])
        check = reviewed("negative_control", True, 2, first, context, "authenticated=false")
        return StepResult(checks=[check], note="a random token is refused, the Secret's token is taken")

    def _rotate(self, target: Target, context: StepContext) -> StepResult:
        server, old = self.server(target), str(context.state["old_uid"])
        found = server.find(SECRET, target.mount, target.name)
        if found is not None and _uid(found) == old:
            context.still_leased(2 * self.spec("rotate").timeout_s)
            server.delete(SECRET, target.mount, target.name, uid=old)
            found = server.find(SECRET, target.mount, target.name)
        if found is None:
            found = server.create(SECRET, target.mount, cast(Fields, context.state["remade"]))
        if _uid(found) == old:
            raise StepFailedError("the Secret is still being deleted", retry=True)
        state = {"new_uid": _uid(found), "rotated_at": context.now(), "without": ["sessions_gone"]}
        return StepResult(state, note="the Secret was deleted and made again")

    def _new_accepted(self, target: Target, context: StepContext) -> StepResult:
        first, found = context.now(), self._secret(target)
        if not _filled(found):
            self.tools.sleep(1.0)
            raise StepFailedError("the cluster has not written the new token yet", retry=True)
        taken = review(self.server(target), _token(found)).accepted
        check = reviewed("new_accepted", taken, 1, first, context, f"authenticated={taken}".lower())
        if not taken:
            raise StepFailedError("the new token is refused", retry=True, checks=[check])
        return StepResult(checks=[check], note="the new token is taken")

    def _old_refused(self, target: Target, context: StepContext) -> StepResult:
        check = until_refused(self.server(target), self._old(context), context, self.tools.sleep)
        return StepResult(checks=[check], note=f"the old token was refused {check.attempts} times")

    def _old(self, context: StepContext) -> SecretText:
        return self.vault.decrypt(*self.escrow, str(context.state["escrow"]))

    def _secret(self, target: Target) -> Fields:
        found = self.server(target).get(SECRET, target.mount, target.name)
        if found.get("type") != TYPE:
            raise StepFailedError("the Secret is none of a service account's token", retry=False)
        return found


def _notes(found: Fields) -> Fields:
    return cast(Fields, cast(Fields, found.get("metadata") or {}).get("annotations") or {})


def _uid(found: Fields) -> str:
    return str(cast(Fields, found.get("metadata") or {}).get("uid"))


def _filled(found: Fields) -> bool:
    return bool(cast(Fields, found.get("data") or {}).get("token"))


def _token(found: Fields) -> SecretText:
    text = cast(Fields, found.get("data") or {}).get("token")
    if not isinstance(text, str) or not text:
        raise StepFailedError("the Secret holds no token", retry=False)
    try:
        return SecretText(base64.b64decode(text, validate=True).decode("ascii"))
    except ValueError:
        pass
    raise StepFailedError("what the Secret holds is no token", retry=False)


def _remade(found: Fields) -> Fields:
    """Return the Secret as it is made again: without data and account uid, which the cluster sets."""
    metadata = {key: value for key, value in cast(Fields, found["metadata"]).items() if key in _KEPT}
    notes = {ACCOUNT: _notes(found).get(ACCOUNT)}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": TYPE,
        "metadata": {**metadata, "annotations": notes},
    }


HANDLER: Final = KubernetesTokenSecret
