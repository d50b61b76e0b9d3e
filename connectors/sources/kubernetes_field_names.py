"""Names of audit events' fields: in ECS, and the short ones that SigmaHQ's rules use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from connectors.sources.field_names import FieldNames, ip_in, outcome, query, stem
from connectors.sources.kubernetes_outcome import outcome_of
from connectors.sources.untrusted import integer_at, list_at, object_at
from detectors.event import Fields, Json
from detectors.sigma.path import MISSING, Derived, Found, lookup

_TABLE: Final[Mapping[str, str]] = {
    "@timestamp": "stageTimestamp",
    "apiGroup": "objectRef.apiGroup",
    "groups": "user.groups",
    "name": "objectRef.name",
    "namespace": "objectRef.namespace",
    "resource": "objectRef.resource",
    "subresource": "objectRef.subresource",
    "username": "user.username",
    "event.action": "verb",
    "http.request.id": "auditID",
    "http.response.status_code": "responseStatus.code",
    "orchestrator.api_version": "objectRef.apiVersion",
    "orchestrator.namespace": "objectRef.namespace",
    "orchestrator.resource.id": "objectRef.uid",
    "orchestrator.resource.name": "objectRef.name",
    "orchestrator.resource.type": "objectRef.resource",
    "related.ip": "sourceIPs",
    "url.original": "requestURI",
    "user.effective.id": "impersonatedUser.uid",
    "user.effective.name": "impersonatedUser.username",
    "user.effective.roles": "impersonatedUser.groups",
    "user.id": "user.uid",
    "user.name": "user.username",
    "user.roles": "user.groups",
    "user_agent.original": "userAgent",
}
_PODS: Final = (("spec",), ("spec", "template", "spec"), ("spec", "jobTemplate", "spec", "template", "spec"))
_ACCOUNT: Final = "system:serviceaccount:"
_CONTAINERS: Final = ("containers", "initContainers", "ephemeralContainers")


def field_names() -> FieldNames:
    """Return the aliases of audit events; `kubernetes.audit.NAME` is the record's own NAME."""
    derived: dict[str, str] = {
        "capabilities": Derived("requestObject", "capabilities", lambda fields: _all(_capabilities(fields))),
        "privileged": Derived("requestObject", "privileged", lambda fields: _all(_privileged(fields))),
        "error.code": Derived("responseStatus", "error code", lambda fields: _error(fields, "reason")),
        "error.message": Derived("responseStatus", "error message", lambda fields: _error(fields, "message")),
        "event.outcome": outcome(outcome_of),
        "hostPath": Derived("requestObject", "hostPath", lambda fields: _all(_host_paths(fields))),
        "source.ip": Derived("sourceIPs", "peer", _peer),
        "url.path": stem("requestURI"),
        "serviceAccountNamespace": Derived("user", "service account's namespace", _domain),
        "url.query": query("requestURI"),
    }
    return FieldNames({**_TABLE, **derived}, {"kubernetes.audit.": ""})


def _all(values: Iterator[Json]) -> Found:
    found = list(values)
    return [*found] if found else MISSING


def _peer(fields: Fields) -> Found:
    """Return the last of sourceIPs, which the connection has; those before it are what headers say."""
    seen = fields.get("sourceIPs")
    return ip_in(seen[-1]) if isinstance(seen, list) and seen else MISSING


def _domain(fields: Fields) -> Found:
    """Return the namespace of a service account's name; other users have none."""
    name = lookup("user.username")(fields)
    parts = name.split(":") if isinstance(name, str) and name.startswith(_ACCOUNT) else ()
    return parts[2] if len(parts) == 4 else MISSING


def _error(fields: Fields, key: str) -> Found:
    code = integer_at(fields, "responseStatus", "code")
    if code is None or code < 400:
        return MISSING
    told = lookup(f"responseStatus.{key}")(fields)
    return str(code) if told is MISSING and key == "reason" else told


def _pods(fields: Fields) -> Iterator[Fields]:
    """Yield the pod of what a request makes: a pod's own, or the template of what makes pods."""
    for path in _PODS:
        yield object_at(fields, "requestObject", *path)


def _host_paths(fields: Fields) -> Iterator[Json]:
    """Yield `volumes[].hostPath.path`."""
    for pod in _pods(fields):
        for volume in list_at(pod, "volumes"):
            path = object_at(volume, "hostPath").get("path")
            if path is not None:
                yield path


def _containers(fields: Fields) -> Iterator[Json]:
    for pod in _pods(fields):
        for key in _CONTAINERS:
            yield from list_at(pod, key)


def _capabilities(fields: Fields) -> Iterator[Json]:
    """Yield each of `containers[].securityContext.capabilities.add`."""
    for container in _containers(fields):
        yield from list_at(container, "securityContext", "capabilities", "add")


def _privileged(fields: Fields) -> Iterator[Json]:
    """Yield `containers[].securityContext.privileged`."""
    for container in _containers(fields):
        said = object_at(container, "securityContext").get("privileged")
        if said is not None:
            yield said
