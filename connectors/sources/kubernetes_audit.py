"""Kubernetes audit events, audit.k8s.io/v1 (the API server's own types)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from connectors.ecs.kubernetes_audit import document
from connectors.sources.kubernetes_aliases import announced, bound
from connectors.sources.kubernetes_names import own_pod, user
from connectors.sources.moment import seconds
from connectors.sources.reject import Reason, Reject
from connectors.sources.source import NOWHERE
from connectors.sources.untrusted import (
    address,
    clean,
    distinct,
    entity,
    integer_at,
    list_at,
    object_at,
    text_at,
)
from detectors.event import (
    Alias,
    Contact,
    Entity,
    EntityType,
    Event,
    Json,
    Locator,
    LogSource,
    Outcome,
)
from detectors.identifier import digest16, source_id

_INTO_POD: Final = frozenset({"exec", "attach", "portforward", "ephemeralcontainers"})
_WORKLOADS: Final = frozenset(
    {"deployments", "daemonsets", "statefulsets", "replicasets", "jobs", "cronjobs", "replicationcontrollers"}
)
_MESH_POLICIES: Final = frozenset({"peerauthentications", "authorizationpolicies", "requestauthentications"})
_CHANGES: Final = frozenset({"create", "update", "patch", "delete", "deletecollection"})


class KubernetesAudit:
    """One audit event. Event time is `stageTimestamp`; one request gives up to three events."""

    kind: str = "kubernetes_audit"
    logsources: tuple[LogSource, ...] = (LogSource("kubernetes", "audit", "application"),)
    aliases: Mapping[str, str] = MappingProxyType(
        {
            "apiGroup": "objectRef.apiGroup",
            "resource": "objectRef.resource",
            "subresource": "objectRef.subresource",
            "namespace": "objectRef.namespace",
            "name": "objectRef.name",
            "username": "user.username",
            "groups": "user.groups",
            "capabilities": "requestObject.spec.containers.securityContext.capabilities.add",
            "privileged": "requestObject.spec.containers.securityContext.privileged",
            "hostPath": "requestObject.spec.volumes.hostPath",
        }
    )

    def recognise(self, value: Json) -> bool:
        """Return whether `value` has the keys that every audit event has."""
        return isinstance(value, dict) and "auditID" in value and "stage" in value

    def recognise_line(self, line: bytes) -> bool:
        """Audit events have no text format."""
        return False

    def parse(self, value: Any, locator: Locator, origin: Mapping[str, str] = NOWHERE) -> Event:
        """Return the event. Raises Reject."""
        if not isinstance(value, dict):
            raise Reject(Reason.WRONG_TYPE, "an audit event is an object")
        if not isinstance(value.get("verb"), str) or not isinstance(value.get("stage"), str):
            raise Reject(Reason.WRONG_TYPE, "verb and stage are texts")
        return Event(self, seconds(value.get("stageTimestamp"), "stageTimestamp"), value, locator, origin)

    def event_id(self, event: Event) -> str:
        """Return AUDITID/STAGE/h: callers may choose audit ids, so h covers what the server set."""
        fields = event.fields
        audit_id = text_at(fields, "auditID")
        if not audit_id:
            return str(event.locator)
        code = integer_at(fields, "responseStatus", "code")
        mark = digest16(
            text_at(fields, "stageTimestamp") or "",
            text_at(fields, "user", "username") or "",
            text_at(fields, "verb") or "",
            text_at(fields, "requestURI") or "",
            "" if code is None else str(code),
        )
        return f"{source_id(audit_id)}/{source_id(str(fields['stage']))}/{mark}"

    def entities(self, event: Event) -> Sequence[Entity]:
        """Return the pod, service account or namespace at risk first, else the caller."""
        fields = event.fields
        callers, targets = _callers(fields), _targets(fields)
        last = _peer(fields)
        source = [Entity("address", last, "source")] if last else []
        first = targets if _target_is_primary(fields) else callers
        return distinct([*first[:1], *callers, *source, *targets])

    def outcome(self, event: Event) -> Outcome:
        """Return failure when the authoriser forbade it or the code is 400 or more."""
        fields = event.fields
        decision = text_at(fields, "annotations", "authorization.k8s.io/decision")
        if decision == "forbid":
            return "failure"
        code = integer_at(fields, "responseStatus", "code")
        if code:
            return "failure" if code >= 400 else "success"
        return "success" if decision == "allow" and fields["stage"] != "RequestReceived" else "unknown"

    def summary(self, event: Event) -> str:
        """Return who did what to which object from where, and the code."""
        fields = event.fields
        user = clean(text_at(fields, "user", "username") or "an unauthenticated caller")
        target = object_at(fields, "objectRef")
        what = "/".join(clean(part) for part in _object_path(target)) or "a non-resource path"
        where = clean(_peer(fields) or "an unknown address")
        code = integer_at(fields, "responseStatus", "code")
        ending = f" (code {code})" if code else ""
        return f"{user} did {clean(str(fields['verb']))} on {what} from {where}{ending}"

    def aliases_in(self, event: Event) -> Sequence[Alias]:
        """Return pod, address and service account as kubelets and bound tokens prove them."""
        fields = event.fields
        return (*announced(event), *bound(fields, event.time))

    def contacts(self, event: Event) -> Sequence[Contact]:
        """The audit log feeds no baseline of this release."""
        return ()

    def ecs(self, event: Event) -> dict[str, Any]:
        """Return the ECS document."""
        return document(event)


def _peer(fields: Mapping[str, Any]) -> str | None:
    """The true peer is the last of sourceIPs: the others are headers of the caller."""
    seen = list_at(fields, "sourceIPs")
    return address(seen[-1]) if seen and isinstance(seen[-1], str) else None


def _object_path(target: Mapping[str, Any]) -> list[str]:
    keys = ("namespace", "resource", "name", "subresource")
    return [text for text in (text_at(target, key) for key in keys) if text]


def _callers(fields: Mapping[str, Any]) -> list[Entity]:
    found = [user(text_at(fields, "user", "username") or "system:anonymous", "actor")]
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
    found: list[Entity] = []
    kind: EntityType | None = None
    if resource == "pods":
        kind = "pod"
    elif resource == "serviceaccounts":
        kind = "service_account"
    elif resource == "secrets":
        kind = "secret"
    elif resource in _WORKLOADS:
        kind = "workload"
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
    for subject in list_at(fields, "requestObject", "subjects")[:8]:
        name = text_at(subject, "name")
        if name and text_at(subject, "kind") == "ServiceAccount":
            found.append(entity("service_account", f"{text_at(subject, 'namespace') or ''}/{name}", "target"))
        elif name and text_at(subject, "kind") == "User":
            found.append(user(name, "target"))
    return found
