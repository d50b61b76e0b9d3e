"""The synthetic record of a canary, one a source: what its platform would log of a call that never happened.

Nobody acts in it: callers and names are `davylamp-canary`, addresses are of TEST-NET-1 (RFC 5737), the
account does not exist. It states no alias and no contact, so it feeds no baseline however it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import orjson

from detectors.canary.proof import Slot
from detectors.event import Fields
from detectors.finding import rfc3339
from detectors.identifier import derive

NAME: Final = "davylamp-canary"
_ADDRESS: Final = "192.0.2.1"
_ACCOUNT: Final = "000000000000"


def canary_record(slot: Slot) -> bytes:
    """Return the record of a slot: the same bytes for every sender. Raises KeyError for an unknown source."""
    ident = derive("canary", slot.source, slot.topic, str(slot.partition), str(slot.due))
    return orjson.dumps(_RECORDS[slot.source](ident, rfc3339(slot.due)))


def _cloudtrail(ident: str, time: str) -> Fields:
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": "AIDADAVYLAMPCANARY",
            "arn": f"arn:aws:iam::{_ACCOUNT}:user/{NAME}",
            "accountId": _ACCOUNT,
            "userName": NAME,
        },
        "eventTime": f"{time[:19]}Z",
        "eventSource": "sts.amazonaws.com",
        "eventName": "GetCallerIdentity",
        "awsRegion": "us-east-1",
        "sourceIPAddress": _ADDRESS,
        "userAgent": NAME,
        "requestParameters": None,
        "responseElements": None,
        "eventID": ident,
        "readOnly": True,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": _ACCOUNT,
        "eventCategory": "Management",
    }


def _kubernetes_audit(ident: str, time: str) -> Fields:
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": ident,
        "stage": "ResponseComplete",
        "requestURI": f"/api/v1/namespaces/{NAME}/configmaps/{NAME}",
        "verb": "get",
        "user": {"username": NAME, "groups": ["system:authenticated"]},
        "sourceIPs": [_ADDRESS],
        "userAgent": NAME,
        "objectRef": {"resource": "configmaps", "namespace": NAME, "name": NAME, "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": f"{time[:-1]}000Z",
        "stageTimestamp": f"{time[:-1]}000Z",
        "annotations": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": ""},
    }


def _istio_access(ident: str, time: str) -> Fields:
    return {
        "start_time": time,
        "method": "GET",
        "path": "/davylamp-canary",
        "protocol": "HTTP/1.1",
        "response_code": 200,
        "response_flags": "-",
        "response_code_details": "via_upstream",
        "connection_termination_details": None,
        "upstream_transport_failure_reason": None,
        "bytes_received": 0,
        "bytes_sent": 2,
        "duration": 1,
        "upstream_service_time": "1",
        "x_forwarded_for": None,
        "user_agent": NAME,
        "request_id": ident,
        "authority": NAME,
        "upstream_host": f"{_ADDRESS}:8080",
        "upstream_cluster": "inbound|8080||",
        "upstream_local_address": "127.0.0.6:40001",
        "downstream_local_address": f"{_ADDRESS}:8080",
        "downstream_remote_address": f"{_ADDRESS}:51000",
        "requested_server_name": None,
        "route_name": "default",
    }


def _vault_audit(ident: str, time: str) -> Fields:
    return {
        "time": time,
        "type": "response",
        "auth": {"display_name": NAME, "policies": ["default"], "token_type": "service"},
        "request": {
            "id": ident,
            "operation": "read",
            "path": f"sys/{NAME}",
            "namespace": {"id": "root"},
            "remote_address": _ADDRESS,
            "remote_port": 51000,
        },
        "response": {},
    }


_RECORDS: Final[Mapping[str, Callable[[str, str], Fields]]] = MappingProxyType(
    {
        "cloudtrail": _cloudtrail,
        "kubernetes_audit": _kubernetes_audit,
        "istio_access": _istio_access,
        "vault_audit": _vault_audit,
    }
)
