"""Kubernetes audit: what guards the cluster is weakened, and what Git says is bent."""

from __future__ import annotations

from typing import Any, Final

from daemon.demo.traffic.record import Body, hexes
from daemon.lab.sources.kubernetes_audit import call, person
from daemon.lab.stage import Stage, Technique

_ADMISSION: Final = "admissionregistration.k8s.io/v1"
_GATEKEEPER: Final = "constraints.gatekeeper.sh/v1beta1"


def _by_hand(stage: Stage, verb: str, resource: str, namespace: str, name: str, body: Any = None) -> None:
    call(stage, person(stage, stage.person()), verb, resource, namespace, name, body)


def constraint_removed(stage: Stage) -> None:
    """Delete a constraint of Gatekeeper."""
    _by_hand(stage, "delete", f"{_GATEKEEPER}/k8s{stage.names.word()}", "", stage.names.thing())


def constraint_dry(stage: Stage) -> None:
    """Let a constraint of Gatekeeper only report."""
    patch = {"spec": {"enforcementAction": "dryrun"}}
    _by_hand(stage, "patch", f"{_GATEKEEPER}/k8s{stage.names.word()}", "", stage.names.thing(), patch)


def admission_policy_removed(stage: Stage) -> None:
    """Delete the binding of an admission policy."""
    _by_hand(stage, "delete", f"{_ADMISSION}/validatingadmissionpolicybindings", "", stage.names.thing())


def webhook_weakened(stage: Stage) -> None:
    """Let everything through when Gatekeeper's webhook does not answer."""
    patch = [{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore"}]
    name = "gatekeeper-validating-webhook-configuration"
    _by_hand(stage, "patch", f"{_ADMISSION}/validatingwebhookconfigurations", "", name, patch)


def webhook_outside(stage: Stage) -> None:
    """Have every new pod sent to an outside URL, which may change it."""
    name = stage.names.thing()
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    hook = {
        "name": f"{stage.names.word()}.{stage.names.word()}.example",
        "clientConfig": {"url": f"https://{stage.names.word()}.example/mutate"},
        "rules": [rule],
        "failurePolicy": "Ignore",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    body = {
        "kind": "MutatingWebhookConfiguration",
        "apiVersion": _ADMISSION,
        "metadata": {"name": name},
        "webhooks": [hook],
    }
    _by_hand(stage, "create", f"{_ADMISSION}/mutatingwebhookconfigurations", "", name, body)


def guard_stopped(stage: Stage) -> None:
    """Scale the admission controller to zero."""
    patch = {"spec": {"replicas": 0}}
    _by_hand(
        stage, "patch", "apps/v1/deployments", "gatekeeper-system", "gatekeeper-controller-manager", patch
    )


def names_bent(stage: Stage) -> None:
    """Send the names of an inner service elsewhere, in the cluster's own DNS."""
    _by_hand(stage, "update", "v1/configmaps", "kube-system", "coredns")


def watcher_changed(stage: Stage) -> None:
    """Change something in the namespace of the watcher."""
    _by_hand(stage, "patch", "v1/configmaps", "davylamp", stage.names.thing())


def pod_security_lowered(stage: Stage) -> None:
    """Allow privileged pods in a namespace."""
    patch = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}
    namespace = stage.workload().namespace
    _by_hand(stage, "patch", "v1/namespaces", namespace, namespace, patch)


def network_policy_deleted(stage: Stage) -> None:
    """Delete the network policy of the data's namespace."""
    _by_hand(
        stage,
        "delete",
        "networking.k8s.io/v1/networkpolicies",
        stage.world.data_namespace,
        stage.names.thing(),
    )


def gitops_suspended(stage: Stage) -> None:
    """Stop Flux from putting things back."""
    resource = "kustomize.toolkit.fluxcd.io/v1/kustomizations"
    _by_hand(stage, "patch", resource, "flux-system", stage.names.word(), {"spec": {"suspend": True}})


def gitops_redirected(stage: Stage) -> None:
    """Have Flux take everything from another repository."""
    patch = {"spec": {"url": f"https://git.{stage.names.word()}.example/{stage.names.word()}.git"}}
    resource = "source.toolkit.fluxcd.io/v1/gitrepositories"
    _by_hand(stage, "patch", resource, "flux-system", stage.names.word(), patch)


def mtls_off(stage: Stage) -> None:
    """Let plain text into the data's namespace."""
    patch = {"spec": {"mtls": {"mode": stage.rng.choice(("PERMISSIVE", "DISABLE"))}}}
    resource = "security.istio.io/v1/peerauthentications"
    _by_hand(stage, "patch", resource, stage.world.data_namespace, "default", patch)


def authorization_opened(stage: Stage) -> None:
    """Delete what says who may call whom."""
    _by_hand(
        stage,
        "delete",
        "security.istio.io/v1/authorizationpolicies",
        stage.workload().namespace,
        stage.names.thing(),
    )


def token_issuer_changed(stage: Stage) -> None:
    """Have the mesh trust the tokens of another issuer."""
    issuer = f"https://{stage.names.word()}.example"
    rules = [{"issuer": issuer, "jwksUri": f"{issuer}/.well-known/jwks.json"}]
    resource = "security.istio.io/v1/requestauthentications"
    _by_hand(
        stage,
        "patch",
        resource,
        stage.workload().namespace,
        stage.names.thing(),
        {"spec": {"jwtRules": rules}},
    )


def own_request_approved(stage: Stage) -> None:
    """Approve the request for data that one has made oneself."""
    who, name = stage.person(), stage.names.thing()
    version = f"governance.{stage.world.company}.example/v1"
    spec: Body = {"requester": who.mail, "dataset": stage.names.thing(), "classification": "restricted"}
    approvals = [{"approver": who.mail, "role": "data-owner"}]
    body = {
        "kind": "DataAccessRequest",
        "apiVersion": version,
        "metadata": {"name": name, "namespace": stage.world.data_namespace},
        "spec": {**spec, "approvals": approvals},
    }
    resource = f"{version}/dataaccessrequests"
    call(stage, person(stage, who), "update", resource, stage.world.data_namespace, name, body)


def events_deleted(stage: Stage) -> None:
    """Delete the events of a namespace."""
    _by_hand(stage, "deletecollection", "v1/events", stage.workload().namespace, "")


def sealed_key_read(stage: Stage) -> None:
    """Read the private key that opens all sealed secrets."""
    _by_hand(stage, "get", "v1/secrets", "kube-system", f"sealed-secrets-key{hexes(stage.rng, 5)}")


TECHNIQUES: Final = (
    Technique(
        "k8s-constraint-removed",
        "Constraint of Gatekeeper deleted",
        constraint_removed,
        ("T1685",),
        "critical",
    ),
    Technique(
        "k8s-constraint-dry", "Constraint of Gatekeeper only reports", constraint_dry, ("T1685",), "critical"
    ),
    Technique(
        "k8s-admission-policy-removed",
        "Admission policy unbound",
        admission_policy_removed,
        ("T1685",),
        "critical",
    ),
    Technique(
        "k8s-webhook-weakened", "Admission webhook fails open", webhook_weakened, ("T1685",), "critical"
    ),
    Technique(
        "k8s-webhook-outside", "Pods sent to an outside webhook", webhook_outside, ("T1685",), "critical"
    ),
    Technique(
        "k8s-guard-stopped", "Admission controller scaled to zero", guard_stopped, ("T1685",), "critical"
    ),
    Technique("k8s-names-bent", "Cluster DNS changed", names_bent, ("T1557",), "critical"),
    Technique(
        "k8s-watcher-changed", "Namespace of the watcher written to", watcher_changed, ("T1685",), "critical"
    ),
    Technique("k8s-pod-security-lowered", "Privileged pods allowed", pod_security_lowered, ("T1685",)),
    Technique("k8s-network-policy-deleted", "Network policy deleted", network_policy_deleted, ("T1686",)),
    Technique("k8s-gitops-suspended", "GitOps suspended", gitops_suspended, ("T1685",)),
    Technique(
        "k8s-gitops-redirected", "GitOps source redirected", gitops_redirected, ("T1195.002",), "critical"
    ),
    Technique("k8s-mtls-off", "Mutual TLS of the mesh weakened", mtls_off, ("T1689",), "critical"),
    Technique(
        "k8s-authorization-opened", "Mesh authorization deleted", authorization_opened, ("T1685",), "critical"
    ),
    Technique(
        "k8s-token-issuer-changed",
        "Token issuer of the mesh changed",
        token_issuer_changed,
        ("T1556",),
        "critical",
    ),
    Technique(
        "k8s-own-request-approved", "Own data request approved", own_request_approved, ("T1078",), "critical"
    ),
    Technique("k8s-events-deleted", "Events of a namespace deleted", events_deleted, ("T1070",)),
    Technique(
        "k8s-sealed-key-read",
        "Private key of sealed secrets read",
        sealed_key_read,
        ("T1552.007",),
        "critical",
    ),
)
