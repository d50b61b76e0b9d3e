"""The API server through httpx: blocking calls, bounded answers, no retries of its own, no proxies.

The bearer token is asked again for each call: the kubelet writes a new one into the same file long before
the old one ends (Kubernetes, "Bound service account tokens"). Paths are built here from checked names only.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, cast
from urllib.parse import quote, urlencode

import httpx
import orjson

from connectors.kubernetes.error import (
    KubernetesAwayError,
    KubernetesConflictError,
    KubernetesDeniedError,
    KubernetesError,
    KubernetesMissingError,
    KubernetesRefusedError,
)
from connectors.kubernetes.kinds import Kind
from connectors.kubernetes.names import namespace_name, object_name
from connectors.kubernetes.permission import Permission
from detectors.event import Fields

MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
PAGE: Final = 500
MAX_LISTED: Final = 5_000
_AWAY: Final = frozenset({408, 425, 429})
_REASONS: Final = frozenset(
    {"AlreadyExists", "Conflict", "Expired", "Forbidden", "Invalid", "NotFound", "Unauthorized"}
)


class KubernetesClient:
    """The calls that Davylamp makes. `timeout_s` bounds connecting, sending and each wait for an answer.

    Every method raises KubernetesError; names that are none raise NotANameError before anything is sent.
    """

    def __init__(
        self,
        address: str,
        token: Callable[[], str],
        *,
        ca_file: Path | None = None,
        timeout_s: float = 5.0,
        client: httpx.Client | None = None,
    ) -> None:
        self._token = token
        self._client = client or httpx.Client(
            base_url=address,
            verify=ssl.create_default_context(cafile=str(ca_file) if ca_file else None),
            timeout=timeout_s,
            trust_env=False,
            follow_redirects=False,
        )

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def get(self, kind: Kind, namespace: str, name: str) -> Fields:
        """Return one object."""
        return self._ask("GET", kind.path(_space(kind, namespace), object_name(name)))

    def find(self, kind: Kind, namespace: str, name: str) -> Fields | None:
        """Return one object, or None when it is not there."""
        try:
            return self.get(kind, namespace, name)
        except KubernetesMissingError:
            return None

    def listed(self, kind: Kind, namespace: str, selector: str = "") -> list[Fields]:
        """Return the objects of a kind, page by page. `selector` is of labels.

        Raises KubernetesRefusedError above 5,000: what does not fit is not judged by a part of it.
        """
        found: list[Fields] = []
        onward = ""
        while True:
            asked = {"limit": str(PAGE), "labelSelector": selector, "continue": onward}
            query = {key: value for key, value in asked.items() if value}
            page = self._ask("GET", kind.path(_space(kind, namespace)), query=query)
            found += cast("Sequence[Fields]", page.get("items") or ())
            metadata = cast(Fields, page.get("metadata") or {})
            onward = str(metadata.get("continue") or "")
            if not onward:
                return found
            if len(found) >= MAX_LISTED:
                raise KubernetesRefusedError(f"more than {MAX_LISTED} {kind.plural}: none is judged", 200)

    def create(self, kind: Kind, namespace: str, body: Fields, *, dry_run: bool = False) -> Fields:
        """Create an object; with `dry_run` everything but the keeping happens (admission too).

        Raises KubernetesConflictError when one of its name is there.
        """
        query = {"fieldValidation": "Strict", "fieldManager": "davylamp"}
        if dry_run:
            query["dryRun"] = "All"
        return self._ask("POST", kind.path(_space(kind, namespace)), body, query=query)

    def patch(self, kind: Kind, namespace: str, name: str, body: Fields) -> Fields:
        """Merge `body` into an object (RFC 7396). With `metadata.resourceVersion` only if unchanged."""
        path = kind.path(_space(kind, namespace), object_name(name))
        query = {"fieldValidation": "Strict", "fieldManager": "davylamp"}
        return self._ask("PATCH", path, body, query=query, content="application/merge-patch+json")

    def delete(self, kind: Kind, namespace: str, name: str, *, uid: str, grace_s: int | None = None) -> None:
        """Delete the object if it still has this `uid`. Raises KubernetesConflictError otherwise."""
        options: Fields = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
            "propagationPolicy": "Background",
        }
        if grace_s is not None:
            options["gracePeriodSeconds"] = grace_s
        self._ask("DELETE", kind.path(_space(kind, namespace), object_name(name)), options)

    def post(self, path: str, body: Fields) -> Fields:
        """Post to a fixed path (reviews). `path` is never made of outside text."""
        return self._ask("POST", path, body)

    def missing(self, permissions: Sequence[Permission]) -> list[Permission]:
        """Return which of `permissions` the server says that we lack (SelfSubjectAccessReview)."""
        return [one for one in permissions if not self._allowed(one)]

    def _allowed(self, permission: Permission) -> bool:
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        status = cast(Fields, self.post(path, permission.review()).get("status") or {})
        return status.get("allowed") is True and status.get("denied") is not True

    def _ask(
        self,
        method: str,
        path: str,
        body: Fields | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content: str = "application/json",
    ) -> Fields:
        """Call; httpx's errors hold the request with its token, so ours are raised outside `except`."""
        target = f"{path}?{urlencode(query, quote_via=quote)}" if query else path
        headers = {"Accept": "application/json", "User-Agent": "davylamp"}
        failure: KubernetesError
        try:
            headers["Authorization"] = f"Bearer {self._token()}"
            sent = None if body is None else orjson.dumps(body)
            if sent is not None:
                headers["Content-Type"] = content
            with self._client.stream(method, target, content=sent, headers=headers) as answer:
                return _read(f"{method} {path}", answer)
        except httpx.HTTPError as error:
            failure = KubernetesAwayError(f"kubernetes unreachable: {method} {path} ({type(error).__name__})")
        except (OSError, ValueError) as error:
            failure = KubernetesAwayError(f"kubernetes: {method} {path} not sent ({type(error).__name__})")
        raise failure


def _space(kind: Kind, namespace: str) -> str:
    return namespace_name(namespace) if kind.namespaced else ""


def _read(what: str, answer: httpx.Response) -> Fields:
    data = bytearray()
    for part in answer.iter_bytes():
        data += part
        if len(data) > MAX_ANSWER_BYTES:
            raise KubernetesRefusedError(f"the answer to {what} is too long", answer.status_code)
    parsed = _parsed(bytes(data))
    if answer.is_success and parsed is not None:
        return parsed
    raise _failure(what, answer.status_code, parsed or {})


def _parsed(data: bytes) -> Fields | None:
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return cast(Fields, found) if isinstance(found, dict) else None


def _failure(what: str, status: int, said: Fields) -> KubernetesError:
    """Return our error for an answer: its status and one reason of a closed list, never its text."""
    reason = str(said.get("reason"))
    text = f"kubernetes answered {status}{f' {reason}' if reason in _REASONS else ''} to {what}"
    if status in (401, 403):
        return KubernetesDeniedError(text, status)
    if status == 404:
        return KubernetesMissingError(text, status)
    if status in (409, 412):
        return KubernetesConflictError(text, status)
    if status in _AWAY or status >= 500:
        return KubernetesAwayError(text, status)
    return KubernetesRefusedError(text, status)
