"""Who acts in an audit event, from where, and on what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from connectors.sources.kubernetes_names import own_pod, user
from connectors.sources.untrusted import address, distinct, entity, list_at, object_at, text_at
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
_SUBJECTS_LIMIT: Final = 8


def entities(fields: Mapping[str, Any]) -> Sequence[Entity]:
    """Return the pod, service account or namespace at risk first, else the caller, else its address."""
    callers, found = _callers(fields), _targets(fields)
    last = peer(fields)
    source = [Entity("address", last, "source")] if last else []
    first = found if _target_is_primary(fields) else callers
    return distinct([*first[:1], *callers, *source, *found]) or [user("system:anonymous", "actor")]


def peer(fields: Mapping[str, Any]) -> str | None:
    """The true peer is the last of sourceIPs: the others are headers of the caller."""
    seen = list_at(fields, "sourceIPs")
    return address(seen[-1]) if seen and isinstance(seen[-1], str) else None


def _callers(fields: Mapping[str, Any]) -> list[Entity]:
    """The user, whom it impersonates, and the pod of its token. Empty where nobody was authenticated."""
    name = text_at(fields, "user", "username")
    found = [user(name, "actor")] if name else []
    effective = text_at(fields, "impersonatedUser", "username")
    if effective:
        found.append(user(effective, "actor"))
    pod = own_pod(fields)
    if pod:
        found.append(entity("pod", pod, "actor"))
    return found


def _target_is_primary(fields: Mapping[str, Any]) -> bool:
    target = object_at(fields, "objectRef")
    resource, verb = text_at(target, "resource"), text_at(fields, "verb")
    if resource == "pods":
        return text_at(target, "subresource") in _INTO_POD or (
            verb in _CHANGES and target.get("name") is not None
        )
    if resource == "serviceaccounts":
        return target.get("subresource") == "token"
    return resource in _MESH_POLICIES and verb in _CHANGES


def _targets(fields: Mapping[str, Any]) -> list[Entity]:
    target = object_at(fields, "objectRef")
    resource, namespace, name = (text_at(target, key) for key in ("resource", "namespace", "name"))
    name = name or text_at(fields, "responseObject", "metadata", "name")
    kind = _KINDS.get(resource or "")
    found: list[Entity] = []
    if kind and name:
        found.append(entity(kind, f"{namespace or ''}/{name}", "target"))
    if resource == "nodes" and name:
        found.append(entity("node", name, "target"))
    if namespace:
        found.append(entity("namespace", namespace, "target"))
    return found + _subjects(fields, resource)


def _subjects(fields: Mapping[str, Any], resource: str | None) -> list[Entity]:
    """Who a role binding gives rights to."""
    if resource not in {"rolebindings", "clusterrolebindings"}:
        return []
    found: list[Entity] = []
    for subject in list_at(fields, "requestObject", "subjects")[:_SUBJECTS_LIMIT]:
        name = text_at(subject, "name")
        if name and text_at(subject, "kind") == "ServiceAccount":
            found.append(entity("service_account", f"{text_at(subject, 'namespace') or ''}/{name}", "target"))
        elif name and text_at(subject, "kind") == "User":
            found.append(user(name, "target"))
    return found
