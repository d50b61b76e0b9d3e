"""Who acts in an audit event, from where, and on what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from connectors.sources.kubernetes_names import own_pod, user
from connectors.sources.untrusted import distinct, entity, known_address, list_at, object_at, text_at
from detectors.event import Entity, EntityType

_INTO_POD: Final = frozenset({"exec", "attach", "portforward", "ephemeralcontainers"})
_MESH_POLICIES: Final = frozenset({"peerauthentications", "authorizationpolicies", "requestauthentications"})
_CHANGES: Final = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_KINDS: Final[Mapping[str, EntityType]] = {
    "pods": "pod",
    "serviceaccounts": "service_account",
    "secrets": "secret",
    "deployments": "workload",
    "daemonsets": "workload",
    "statefulsets": "workload",
    "replicasets": "workload",
    "jobs": "workload",
    "cronjobs": "workload",
    "replicationcontrollers": "workload",
}
_BINDINGS: Final = ("rolebindings", "clusterrolebindings")
_SUBJECTS_LIMIT: Final = 8


def entities(fields: Mapping[str, Any]) -> Sequence[Entity]:
    """Return the pod, service account or namespace at risk first, else the caller, else its address."""
    target = object_at(fields, "objectRef")
    callers, found = _callers(fields), _targets(fields, target)
    last = peer(fields)
    if last:
        callers.append(Entity("address", last, "source"))
    if found and _target_is_primary(fields, target):
        callers, found = [found[0], *callers], found[1:]
    several = callers + found
    if "impersonatedUser" in fields or target.get("resource") in _BINDINGS:
        several = distinct(several)
    return several or [user("system:anonymous", "actor")]


def peer(fields: Mapping[str, Any]) -> str | None:
    """The true peer is the last of sourceIPs: the others are headers of the caller."""
    seen = fields.get("sourceIPs")
    last = seen[-1] if isinstance(seen, list) and seen else None
    return known_address(last) if isinstance(last, str) else None


def _callers(fields: Mapping[str, Any]) -> list[Entity]:
    """The user, whom it impersonates, and the pod of its token. Empty where nobody was authenticated."""
    name = text_at(fields, "user", "username")
    found = [user(name, "actor")] if name else []
    if "impersonatedUser" in fields:
        effective = text_at(fields, "impersonatedUser", "username")
        if effective:
            found.append(user(effective, "actor"))
    pod = own_pod(fields) if found and found[0].type == "service_account" else None
    if pod:
        found.append(entity("pod", pod, "actor"))
    return found


def _target_is_primary(fields: Mapping[str, Any], target: Mapping[str, Any]) -> bool:
    resource, verb = target.get("resource"), fields.get("verb")
    if resource == "pods":
        return text_at(target, "subresource") in _INTO_POD or (
            verb in _CHANGES and target.get("name") is not None
        )
    if resource == "serviceaccounts":
        return target.get("subresource") == "token"
    return isinstance(resource, str) and resource in _MESH_POLICIES and verb in _CHANGES


def _targets(fields: Mapping[str, Any], target: Mapping[str, Any]) -> list[Entity]:
    get = target.get
    resource, namespace, name = get("resource"), get("namespace"), get("name")
    if not isinstance(name, str) or not name:
        name = text_at(fields, "responseObject", "metadata", "name")
    if not isinstance(namespace, str):
        namespace = None
    found: list[Entity] = []
    if isinstance(resource, str) and name:
        kind = _KINDS.get(resource)
        if kind:
            found.append(entity(kind, f"{namespace or ''}/{name}", "target"))
        elif resource == "nodes":
            found.append(entity("node", name, "target"))
    if namespace:
        found.append(entity("namespace", namespace, "target"))
    return found + _subjects(fields) if resource in _BINDINGS else found


def _subjects(fields: Mapping[str, Any]) -> list[Entity]:
    """Who a role binding gives rights to."""
    found: list[Entity] = []
    for subject in list_at(fields, "requestObject", "subjects")[:_SUBJECTS_LIMIT]:
        name = text_at(subject, "name")
        if name and text_at(subject, "kind") == "ServiceAccount":
            found.append(entity("service_account", f"{text_at(subject, 'namespace') or ''}/{name}", "target"))
        elif name and text_at(subject, "kind") == "User":
            found.append(user(name, "target"))
    return found
