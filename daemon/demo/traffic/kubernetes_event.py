"""The shape of one audit event (audit.k8s.io/v1, stage ResponseComplete), and who makes requests."""

from __future__ import annotations

from random import Random
from typing import Final, NamedTuple

from daemon.demo.traffic.platform import Node, Person, Pod, Workload
from daemon.demo.traffic.record import Body, new_uuid, rfc3339

_METADATA_ONLY: Final = frozenset(
    {"secrets", "configmaps", "leases", "serviceaccounts", "endpointslices", "endpoints"}
)


class Call(NamedTuple):
    """One request to the API server."""

    verb: str
    resource: str
    namespace: str | None
    name: str | None
    group: str = ""
    subresource: str | None = None
    code: int = 200
    beyond: str | None = None
    """What a proxied request asks of its target: ``metrics``."""

    @property
    def uri(self) -> str:
        """The request URI."""
        parts = [f"/apis/{self.group}/v1" if self.group else "/api/v1"]
        if self.namespace:
            parts.append(f"namespaces/{self.namespace}")
        parts.extend(part for part in (self.resource, self.name, self.subresource, self.beyond) if part)
        return "/".join(parts)

    def reference(self) -> Body:
        """Return the `objectRef`."""
        known = {
            "resource": self.resource,
            "namespace": self.namespace,
            "name": self.name,
            "apiGroup": self.group or None,
            "apiVersion": "v1",
            "subresource": self.subresource,
        }
        return {key: value for key, value in known.items() if value}


def audit_event(
    rng: Random,
    at: float,
    user: Body,
    call: Call,
    address: str,
    agent: str,
    *,
    stage: str = "ResponseComplete",
) -> Body:
    """Return an allowed request of `user` at `at` seconds from `address`."""
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata" if call.resource in _METADATA_ONLY else "Request",
        "auditID": new_uuid(rng),
        "stage": stage,
        "requestURI": call.uri,
        "verb": call.verb,
        "user": user,
        "sourceIPs": [address],
        "userAgent": agent,
        "objectRef": call.reference(),
        "responseStatus": {"metadata": {}, "code": call.code},
        "requestReceivedTimestamp": rfc3339(at - 0.004, 6),
        "stageTimestamp": rfc3339(at, 6),
        "annotations": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": ""},
    }


def node_user(node: Node) -> Body:
    """Return the kubelet of `node`."""
    return {"username": f"system:node:{node.name}", "groups": ["system:nodes", "system:authenticated"]}


def person_user(person: Person) -> Body:
    """Return a person with a client certificate."""
    return {"username": person.mail, "groups": [f"terraminer:{person.group}", "system:authenticated"]}


def account(workload: Workload, pod: Pod, rng: Random) -> Body:
    """Return the service account of `workload` with the token of `pod`."""
    return {
        "username": f"system:serviceaccount:{workload.namespace}:{workload.service_account}",
        "uid": workload.service_account_uid,
        "groups": [
            "system:serviceaccounts",
            f"system:serviceaccounts:{workload.namespace}",
            "system:authenticated",
        ],
        "extra": {
            "authentication.kubernetes.io/credential-id": [f"JTI={new_uuid(rng)}"],
            "authentication.kubernetes.io/node-name": [pod.node.name],
            "authentication.kubernetes.io/pod-name": [pod.name],
            "authentication.kubernetes.io/pod-uid": [pod.uid],
        },
    }
