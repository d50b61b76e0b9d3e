"""Objects on a real API server: where each kind lives, a dry run of everything, what is there now."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx

PLURALS: Final = {
    "AuthorizationPolicy": "authorizationpolicies",
    "NetworkPolicy": "networkpolicies",
}
_APPLY: Final = "application/apply-patch+yaml"
_DRY: Final = "dryRun=All&fieldManager=davylamp-chart&force=true&fieldValidation=Strict"
_SERVED_S: Final = 30.0

Object = dict[str, Any]


def collection(api_version: str, kind: str, namespace: str) -> str:
    """Return the path of the objects of a namespaced kind."""
    group = "/api/v1" if api_version == "v1" else f"/apis/{api_version}"
    return f"{group}/namespaces/{namespace}/{PLURALS.get(kind, kind.lower() + 's')}"


def dry_run(kubernetes: Any, found: Object, namespace: str) -> httpx.Response:
    """Apply `found` on the server's side without keeping it, unknown fields refused."""
    path = collection(found["apiVersion"], found["kind"], namespace)
    headers = {"Content-Type": _APPLY}
    target = f"{path}/{found['metadata']['name']}?{_DRY}"
    return kubernetes.call(
        "PATCH", target, {**found, "metadata": found["metadata"] | {"namespace": namespace}}, headers=headers
    )


def install_definitions(kubernetes: Any, definitions: Mapping[str, Object]) -> None:
    """Create the definitions and wait until the server serves their kinds. Raises TimeoutError."""
    for definition in definitions.values():
        answer = kubernetes.call(
            "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition
        )
        if answer.status_code not in (201, 409):
            raise ValueError(f"{definition['metadata']['name']}: {answer.status_code} {answer.text[:500]}")
    until = time.monotonic() + _SERVED_S
    for definition in definitions.values():
        spec = definition["spec"]
        version = next(entry["name"] for entry in spec["versions"] if entry["storage"])
        path = f"/apis/{spec['group']}/{version}/{spec['names']['plural']}"
        while kubernetes.call("GET", path).status_code != 200:
            if time.monotonic() > until:
                raise TimeoutError(f"{path} is not served after {_SERVED_S:g} s")
            time.sleep(0.1)


def restricted_namespace(kubernetes: Any, name: str) -> str:
    """Create a namespace in which pods outside Pod Security `restricted` are refused and warned about."""
    labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    answer = kubernetes.call("POST", "/api/v1/namespaces", body)
    if answer.status_code != 201:
        raise ValueError(f"namespace {name}: {answer.status_code} {answer.text[:500]}")
    return name


def present(kubernetes: Any, kinds: Sequence[tuple[str, str]], namespace: str) -> set[tuple[str, str]]:
    """Return (kind, name) of the objects of `kinds` (apiVersion, kind) that are in `namespace` now."""
    there: set[tuple[str, str]] = set()
    for api_version, kind in kinds:
        answer = kubernetes.call("GET", collection(api_version, kind, namespace))
        answer.raise_for_status()
        there |= {(kind, item["metadata"]["name"]) for item in answer.json()["items"]}
    return there
