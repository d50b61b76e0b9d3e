"""Kubernetes audit events (audit.k8s.io/v1), as an API server writes them under a usual policy.

https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/ - secrets, configmaps and tokens at level
Metadata, reads at Request, writes at RequestResponse.
"""

from __future__ import annotations

from typing import Any, Final

from daemon.demo.traffic.record import Body, hexes, new_uuid, rfc3339
from daemon.lab.stage import KUBERNETES, Stage
from daemon.lab.world import Node, Person, Pod, Workload

_METADATA: Final = frozenset({"secrets", "configmaps", "tokenreviews"})
_READS: Final = frozenset({"get", "list", "watch"})
_REASONS: Final = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict"}
KUBECTL: Final = "kubectl/v1.33.4 (linux/amd64) kubernetes/74cdb42"


def person(stage: Stage, who: Person) -> Body:
    """Return the `user` of someone with a client certificate."""
    return {
        "username": who.mail,
        "groups": [who.team, "system:authenticated"],
        "extra": {"authentication.kubernetes.io/credential-id": [f"X509SHA256={hexes(stage.rng, 64)}"]},
    }


def account(stage: Stage, workload: Workload, pod: Pod) -> Body:
    """Return the `user` of a token that is bound to a pod."""
    about = "authentication.kubernetes.io/"
    return {
        "username": workload.account,
        "uid": workload.account_uid,
        "groups": [
            "system:serviceaccounts",
            f"system:serviceaccounts:{workload.namespace}",
            "system:authenticated",
        ],
        "extra": {
            f"{about}credential-id": [f"JTI={new_uuid(stage.rng)}"],
            f"{about}node-name": [pod.node.name],
            f"{about}pod-name": [pod.name],
            f"{about}pod-uid": [pod.uid],
        },
    }


def node(who: Node) -> Body:
    """Return the `user` of a kubelet."""
    return {"username": f"system:node:{who.name}", "groups": ["system:nodes", "system:authenticated"]}


def anonymous() -> Body:
    """Return the `user` of a caller who did not log in."""
    return {"username": "system:anonymous", "groups": ["system:unauthenticated"]}


def call(
    stage: Stage,
    user: Body,
    verb: str,
    resource: str,
    namespace: str = "",
    name: str = "",
    body: Body | list[Any] | None = None,
    *,
    sub: str = "",
    query: str = "",
    code: int = 0,
    message: str = "",
    address: str = "",
    agent: str = KUBECTL,
    answer: Body | None = None,
    upgrade: bool = False,
    **more: Any,
) -> None:
    """Write one request; `resource` is ``group/version/plural`` or ``v1/plural``.

    `upgrade`: a stream (exec, attach), which shows as ResponseStarted and ResponseComplete with code 101.
    """
    group, _, rest = resource.rpartition("/")[0].rpartition("/")
    plural = resource.rpartition("/")[2]
    code = code or (101 if upgrade else 201 if verb == "create" and not sub else 200)
    level = _level(plural, sub, verb)
    audit_id, uri = new_uuid(stage.rng), _uri(group, rest, plural, namespace, name, sub, verb, query)
    reference: Body = {"resource": plural, "namespace": namespace, "name": name, "apiGroup": group}
    reference |= {"apiVersion": rest, "subresource": sub}
    event: Body = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": level,
        "auditID": audit_id,
        "stage": "ResponseComplete",
        "requestURI": uri,
        "verb": verb,
        "user": user,
        "sourceIPs": [address or stage.foreign],
        "userAgent": agent,
        "objectRef": {key: value for key, value in reference.items() if value},
        "responseStatus": _status(user, code, verb, plural, group, namespace, message),
    }
    if level == "RequestResponse" and not upgrade:
        if body is not None:
            event["requestObject"] = body
        event["responseObject"] = answer or _answer(stage, body, code, event["responseStatus"])
    _write(stage, {**event, **more}, audit_id, code, upgrade)


def _write(stage: Stage, event: Body, audit_id: str, code: int, upgrade: bool) -> None:
    times: Body = {
        "requestReceivedTimestamp": rfc3339(stage.at, 6),
        "stageTimestamp": rfc3339(stage.at + stage.rng.uniform(0.002, 0.02), 6),
    }
    if code != 401:
        times["annotations"] = {
            "authorization.k8s.io/decision": "forbid" if code == 403 else "allow",
            "authorization.k8s.io/reason": "",
        }
    for name in ("ResponseStarted", "ResponseComplete") if upgrade else (event["stage"],):
        stage.add(KUBERNETES, {**event, **times, "stage": name}, audit_id)
        times["stageTimestamp"] = rfc3339(stage.at + 0.02, 6)


def _level(plural: str, sub: str, verb: str) -> str:
    if plural in _METADATA or sub == "token":
        return "Metadata"
    return "Request" if verb in _READS else "RequestResponse"


def _uri(
    group: str, version: str, plural: str, namespace: str, name: str, sub: str, verb: str, query: str
) -> str:
    parts = ["apis", group, version] if group else ["api", version]
    parts += ["namespaces", namespace] if namespace else []
    parts += [plural, *([name] if name and (verb != "create" or sub) else []), *([sub] if sub else [])]
    return "/" + "/".join(parts) + (f"?{query}" if query else "")


def _status(user: Body, code: int, verb: str, plural: str, group: str, namespace: str, message: str) -> Body:
    if code < 400:
        return {"metadata": {}, "code": code}
    where = f' in the namespace "{namespace}"' if namespace else " at the cluster scope"
    who = f'User "{user.get("username", "")}"'
    what = f'cannot {verb} resource "{plural}" in API group "{group}"{where}'
    said = message or f"{plural} is forbidden: {who} {what}"
    reason = _REASONS.get(code, "InternalError")
    return {"metadata": {}, "status": "Failure", "message": said, "reason": reason, "code": code}


def _answer(stage: Stage, body: Body | list[Any] | None, code: int, status: Body) -> Body:
    if code >= 400 or not isinstance(body, dict):
        return {"kind": "Status", "apiVersion": "v1", **status}
    about: Body = {
        **body.get("metadata", {}),
        "uid": new_uuid(stage.rng),
        "resourceVersion": hexes(stage.rng, 5),
    }
    return {**body, "metadata": about}
