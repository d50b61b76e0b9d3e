"""Kubernetes audit events in ECS; the peer address is the last of sourceIPs (the others are headers)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connectors.ecs.document import Ecs, of_event
from connectors.ecs.redaction import mask
from connectors.ecs.shown import shown
from connectors.sources.untrusted import integer_at, list_at, object_at, text_at
from detectors.event import Event

_TYPES: Final = {
    "create": ["creation"],
    "update": ["change"],
    "patch": ["change"],
    "delete": ["deletion"],
    "deletecollection": ["deletion"],
    "get": ["access"],
    "list": ["access"],
    "watch": ["access"],
}
_IAM: Final = frozenset(
    {
        "roles",
        "rolebindings",
        "clusterroles",
        "clusterrolebindings",
        "serviceaccounts",
        "certificatesigningrequests",
    }
)
_WITH_SECRETS: Final = frozenset({"secrets", "configmaps"})


def document(event: Event) -> dict[str, Any]:
    """Return the ECS document of an audit event."""
    fields, text = shown(_shown(event.fields))
    target = object_at(fields, "objectRef")
    ecs = of_event(event, fields, "kubernetes.audit_logs", "kubernetes", text)
    user = text_at(fields, "user", "username")
    effective = text_at(fields, "impersonatedUser", "username")
    addresses = [text for text in list_at(fields, "sourceIPs") if isinstance(text, str)]
    code = integer_at(fields, "responseStatus", "code")
    verb = str(fields["verb"])
    ecs.put_all(
        (
            ("event.provider", "kube-apiserver"),
            ("event.action", verb),
            ("event.category", ["iam"] if text_at(target, "resource") in _IAM else ["configuration"]),
            ("event.type", _TYPES.get(verb, ["info"])),
            ("user.name", user),
            ("user.id", text_at(fields, "user", "uid")),
            (
                "user.roles",
                [text for text in list_at(fields, "user", "groups")[:64] if isinstance(text, str)],
            ),
            ("user.effective.name", effective),
            ("user_agent.original", text_at(fields, "userAgent")),
            ("http.request.id", text_at(fields, "auditID")),
            ("http.request.method", verb),
            ("http.response.status_code", code if code is None or 0 < code < 1000 else None),
            ("url.original", text_at(fields, "requestURI")),
            ("url.path", (text_at(fields, "requestURI") or "").partition("?")[0]),
            ("orchestrator.type", "kubernetes"),
            ("orchestrator.namespace", text_at(target, "namespace")),
            ("orchestrator.api_version", text_at(target, "apiVersion")),
            ("orchestrator.resource.type", text_at(target, "resource")),
            ("orchestrator.resource.name", text_at(target, "name")),
            ("orchestrator.resource.id", text_at(target, "uid")),
        )
    )
    if (code or 0) >= 400:
        ecs.put("error.code", text_at(fields, "responseStatus", "reason") or str(code))
        ecs.put("error.message", text_at(fields, "responseStatus", "message"))
    ecs.endpoint("source", addresses[-1] if addresses else None)
    ecs.related("ip", *addresses)
    ecs.related("user", user, effective)
    _vendor(ecs, fields)
    return ecs.finish()


def _vendor(ecs: Ecs, fields: Mapping[str, Any]) -> None:
    for key in ("level", "auditID", "stage", "requestURI", "verb", "userAgent"):
        ecs.put(f"kubernetes.audit.{key}", text_at(fields, key))
    for key in ("user", "impersonatedUser", "objectRef", "responseStatus"):
        ecs.put(f"kubernetes.audit.{key}", object_at(fields, key))
    ecs.put("kubernetes.audit.sourceIPs", list_at(fields, "sourceIPs"))
    notes = {key.replace(".", "_"): text for key, text in object_at(fields, "annotations").items()}
    ecs.put("kubernetes.audit.annotations", notes)


def _shown(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The record with the contents of secrets and config maps masked and managed fields left out."""
    hidden = text_at(fields, "objectRef", "resource") in _WITH_SECRETS
    record = dict(fields)
    for key in ("requestObject", "responseObject"):
        body = object_at(record, key)
        if body:
            record[key] = _body(body, hidden)
    return record


def _body(body: Mapping[str, Any], hidden: bool) -> dict[str, Any]:
    kept = dict(body)
    hidden = hidden or text_at(kept, "kind") in {"Secret", "SecretList", "ConfigMap", "ConfigMapList"}
    if hidden:
        for key in ("data", "stringData", "binaryData"):
            if key in kept:
                kept[key] = mask(kept[key])
        if isinstance(kept.get("items"), list):
            kept["items"] = [_body(item, True) if isinstance(item, dict) else item for item in kept["items"]]
    described = object_at(kept, "metadata")
    if described:
        described = {key: value for key, value in described.items() if key != "managedFields"}
        notes = object_at(described, "annotations")
        if notes:
            described["annotations"] = {
                key: value for key, value in notes.items() if not key.endswith("last-applied-configuration")
            }
        kept["metadata"] = described
    return kept
