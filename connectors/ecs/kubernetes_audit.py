"""Kubernetes audit events in ECS; the peer address is the last of sourceIPs (the others are headers)."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl

from connectors.ecs.head import distinct, endpoint, head, ip_of, label, many, place, word, words
from connectors.ecs.kubernetes_action import classify
from connectors.ecs.kubernetes_body import readable
from connectors.ecs.kubernetes_command import command_of
from connectors.ecs.moment import moment
from connectors.ecs.shown import shown
from connectors.sources.kubernetes_cut import is_truncated
from connectors.sources.moment import seconds
from connectors.sources.reject import Reject
from connectors.sources.untrusted import integer_at, list_at, object_at, text_at
from detectors.event import Event

_BINDINGS: Final = frozenset({"rolebindings", "clusterrolebindings"})
_METHODS: Final = {
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETE",
    "get": "GET",
    "list": "GET",
    "watch": "GET",
}
_WORKLOADS: Final = frozenset(
    {"pods", "deployments", "daemonsets", "statefulsets", "replicasets", "jobs", "cronjobs"}
)
_ORCHESTRATOR: Final = (("namespace", "namespace"), ("apiVersion", "api_version"))
_RESOURCE: Final = (("resource", "type"), ("name", "name"), ("uid", "id"))
_PLAIN: Final = tuple((key, key) for key in ("level", "auditID", "stage", "requestURI", "verb", "userAgent"))
_OBJECTS: Final = ("user", "impersonatedUser", "objectRef", "responseStatus")
_NODE: Final = "authentication.kubernetes.io/node-name"
_BODY_LIMIT: Final = 32 * 1024


def document(event: Event) -> dict[str, Any]:
    """Return the ECS document of an audit event."""
    fields, text = shown(readable(event.fields))
    get = fields.get
    out, about = head(event, text, "kubernetes", "kubernetes.audit_logs")
    target = object_at(fields, "objectRef")
    resource, subresource = word(target.get("resource")), word(target.get("subresource"))
    verb = str(get("verb"))
    about["provider"] = "kube-apiserver"
    if verb:
        about["action"] = verb[:1024]
    about["category"], about["type"] = classify(verb, resource, subresource)
    _times(fields, event.time, out["@timestamp"], about)
    out["user"] = user = _user(fields, target, resource)
    agent = word(get("userAgent"))
    if agent:
        out["user_agent"] = {"original": agent}
    _http(fields, verb, out)
    orchestrator: dict[str, Any] = {"type": "kubernetes", **words(target.get, _ORCHESTRATOR)}
    named = words(target.get, _RESOURCE)
    if named:
        orchestrator["resource"] = named
    out["orchestrator"] = orchestrator
    if resource in _WORKLOADS:
        _workload(fields, out)
    _related(fields, resource, user, out)
    if subresource == "exec" and resource == "pods":
        _command(text_at(fields, "requestURI"), out)
    if not user:
        del out["user"]
    out["kubernetes"] = {"audit": _vendor(fields, text, resource)}
    if is_truncated(fields, event.origin):
        label(out, "truncated", "true")
    if event.origin:
        place(out, event.origin)
    return out


def _times(fields: dict[str, Any], end: float, stamp: str, about: dict[str, Any]) -> None:
    """From the request's arrival to this stage, where the record knows the arrival."""
    received = fields.get("requestReceivedTimestamp")
    if not isinstance(received, str) or received == fields.get("stageTimestamp"):
        return
    try:
        start = seconds(received, "requestReceivedTimestamp")
    except Reject:
        return
    if 0 <= end - start < 1e9:
        about["start"], about["end"] = moment(start), stamp
        about["duration"] = round((end - start) * 1_000_000) * 1_000


def _user(fields: dict[str, Any], target: dict[str, Any], resource: str | None) -> dict[str, Any]:
    """Who called, as whom (user.effective), and whose identity is made, changed or given rights."""
    caller = object_at(fields, "user")
    user: dict[str, Any] = words(caller.get, (("username", "name"), ("uid", "id")))
    roles = many(caller.get("groups"))
    if roles:
        user["roles"] = roles
    assumed = fields.get("impersonatedUser")
    if isinstance(assumed, dict):
        effective: dict[str, Any] = words(assumed.get, (("username", "name"), ("uid", "id")))
        roles = many(assumed.get("groups"))
        if roles:
            effective["roles"] = roles
        if effective:
            user["effective"] = effective
    if resource == "serviceaccounts":
        name = text_at(target, "name") or text_at(fields, "responseObject", "metadata", "name")
        if name:
            account = f"system:serviceaccount:{text_at(target, 'namespace') or ''}:{name}"
            user["target"] = {"name": account[:1024]}
    else:
        subjects = [word(text_at(item, "name")) for item in _subjects(fields, resource)]
        if subjects and subjects[0]:
            user["target"] = {"name": subjects[0]}
    return user


def _subjects(fields: dict[str, Any], resource: str | None) -> list[Any]:
    """Who a binding gives rights to."""
    return list_at(fields, "requestObject", "subjects")[:8] if resource in _BINDINGS else []


def _http(fields: dict[str, Any], verb: str, out: dict[str, Any]) -> None:
    request: dict[str, Any] = words(fields.get, (("auditID", "id"),))
    target = fields.get("objectRef")
    method = _METHODS.get(verb) or (None if target else verb.upper()[:16])
    if method:
        request["method"] = method
    http: dict[str, Any] = {"request": request} if request else {}
    code = integer_at(fields, "responseStatus", "code")
    if code is not None and 0 < code < 1000:
        http["response"] = {"status_code": code}
        if code >= 400:
            error = {"code": word(text_at(fields, "responseStatus", "reason")) or str(code)}
            message = word(text_at(fields, "responseStatus", "message"))
            out["error"] = {**error, "message": message} if message else error
    if http:
        out["http"] = http
    uri = word(fields.get("requestURI"))
    if uri:
        path, _, query = uri.partition("?")
        out["url"] = url = {"original": uri}
        if path:
            url["path"] = path
        if query:
            url["query"] = query


def _related(fields: dict[str, Any], resource: str | None, user: dict[str, Any], out: dict[str, Any]) -> None:
    seen = fields.get("sourceIPs")
    related: dict[str, Any] = {}
    if isinstance(seen, list) and seen:
        source = endpoint(seen[-1])
        if source:
            out["source"] = source
        addresses = distinct(source.get("ip"), *(ip_of(text) for text in seen[:64]))
        if addresses:
            related["ip"] = addresses
    users = [user[part].get("name") for part in ("effective", "target") if part in user]
    users += [word(text_at(item, "name")) for item in _subjects(fields, resource)]
    users = distinct(user.get("name"), *users)
    if users:
        related["user"] = users
    extra = object_at(fields, "user").get("extra")
    if isinstance(extra, dict):
        nodes = many(extra.get(_NODE))
        if nodes:
            related["hosts"] = nodes
    if related:
        out["related"] = related


def _workload(fields: dict[str, Any], out: dict[str, Any]) -> None:
    """The first container's name and image of what a request makes."""
    spec = object_at(fields, "requestObject", "spec")
    for step in ("jobTemplate", "template"):
        if isinstance(spec.get(step), dict):
            spec = object_at(spec, step, "spec")
    containers = list_at(spec, "containers")
    if containers and isinstance(containers[0], dict):
        found: dict[str, Any] = words(containers[0].get, (("name", "name"),))
        image = word(containers[0].get("image"))
        if image:
            found["image"] = {"name": image}
        if found:
            out["container"] = found


def _command(uri: str | None, out: dict[str, Any]) -> None:
    """What an exec runs, without its arguments, and in which container."""
    query = (uri or "").partition("?")[2]
    process = command_of(query)
    if process:
        out["process"] = process
    try:
        asked = parse_qsl(query, max_num_fields=128)
    except ValueError:
        return
    container = next((value for key, value in asked if key == "container" and value), None)
    if container:
        out["container"] = {"name": container[:1024]}


def _vendor(fields: dict[str, Any], text: str, resource: str | None) -> dict[str, Any]:
    vendor: dict[str, Any] = words(fields.get, _PLAIN)
    for key in _OBJECTS:
        value = fields.get(key)
        if isinstance(value, dict) and value:
            vendor[key] = value
    addresses = fields.get("sourceIPs")
    if isinstance(addresses, list) and addresses:
        vendor["sourceIPs"] = addresses
    notes = fields.get("annotations")
    if isinstance(notes, dict) and notes:
        vendor["annotations"] = {key.replace(".", "_"): value for key, value in notes.items()}
    if resource in _WORKLOADS and len(text) <= _BODY_LIMIT:
        asked = fields.get("requestObject")
        if isinstance(asked, dict) and asked:
            vendor["requestObject"] = asked
    return vendor
