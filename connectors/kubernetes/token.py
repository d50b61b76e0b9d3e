"""Tokens of service accounts: asked for, and shown to the API server to hear whether it takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

from connectors.kubernetes.client import KubernetesClient
from connectors.kubernetes.error import KubernetesRefusedError
from connectors.kubernetes.kinds import SERVICE_ACCOUNT
from connectors.kubernetes.names import namespace_name, object_name
from connectors.kubernetes.permission import Permission
from connectors.vault.secret_text import SecretText
from detectors.event import Fields
from detectors.finding import parse_rfc3339

REVIEW: Final = Permission("create", "authentication.k8s.io", "tokenreviews")
_LIFE_S: Final = 3600


@dataclass(frozen=True, slots=True)
class Minted:
    """A token that was asked for. `expires_at` is the API server's clock, seconds, UTC."""

    token: SecretText
    expires_at: float


@dataclass(frozen=True, slots=True)
class Review:
    """What the API server says about a token: whether it takes it, and for whom."""

    accepted: bool
    username: str
    uid: str


def mint(client: KubernetesClient, namespace: str, account: str, pod: Fields | None = None) -> Minted:
    """Ask for a token of an account, bound to `pod` (its metadata) when one is given. Raises KubernetesError.

    Such a token dies with the pod, or with the account, exactly as the pod's own does.
    """
    spec: Fields = {"expirationSeconds": _LIFE_S}
    if pod is not None:
        named = {"name": pod["name"], "uid": pod["uid"]}
        spec["boundObjectRef"] = {"apiVersion": "v1", "kind": "Pod", **named}
    body: Fields = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    path = SERVICE_ACCOUNT.path(namespace_name(namespace), object_name(account))
    status = cast(Fields, client.post(f"{path}/token", body).get("status") or {})
    token, until = status.get("token"), status.get("expirationTimestamp")
    if not isinstance(token, str) or not isinstance(until, str):
        raise KubernetesRefusedError("the API server gave no token", 201)
    return Minted(SecretText(token), parse_rfc3339(until))


def review(client: KubernetesClient, token: SecretText) -> Review:
    """Return whether the API server takes `token`. Raises KubernetesError."""
    body: Fields = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": token.reveal()},
    }
    answer = client.post("/apis/authentication.k8s.io/v1/tokenreviews", body)
    status = cast(Fields, answer.get("status") or {})
    user = cast(Fields, status.get("user") or {})
    taken = status.get("authenticated") is True
    return Review(taken, str(user.get("username") or ""), str(user.get("uid") or ""))
