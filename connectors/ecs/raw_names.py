"""Which field of Davylamp's ECS documents holds what a record's own field holds, for queries made of rules.

The other direction of the mapping files here: only names whose values stand in the document as they are in
the record. What a document leaves out, shortens or changes has no name here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class RawNames:
    """The names of one source: whole names, and beginnings of names; `cidr` where a network is asked for."""

    exact: Mapping[str, str]
    prefixes: Mapping[str, str] = field(default_factory=dict[str, str])
    cidr: Mapping[str, str] = field(default_factory=dict[str, str])

    def document_name(self, name: str, *, network: bool = False) -> str | None:
        """Return the document's field for a record's field; None when the document has none."""
        if network and name in self.cidr:
            return self.cidr[name]
        if name in self.exact:
            return self.exact[name]
        for raw, ecs in self.prefixes.items():
            if name.startswith(raw) and len(name) > len(raw):
                rest = name.removeprefix(raw)
                # Keys of annotations have points, and a document would nest them.
                return ecs + (rest.replace(".", "_") if raw == "annotations." else rest)
        return None


_TRAIL: Final = "aws.cloudtrail."
_WHO: Final = f"{_TRAIL}user_identity."
_ISSUER: Final = f"{_WHO}session_context.session_issuer."
_CLOUDTRAIL: Final = RawNames(
    {
        "additionalEventData": f"{_TRAIL}additional_eventdata",
        "apiVersion": f"{_TRAIL}api_version",
        "awsRegion": "cloud.region",
        "errorCode": f"{_TRAIL}error_code",
        "errorMessage": f"{_TRAIL}error_message",
        "eventCategory": f"{_TRAIL}event_category",
        "eventID": "event.id",
        "eventName": "event.action",
        "eventSource": "event.provider",
        "eventTime": "@timestamp",
        "eventType": f"{_TRAIL}event_type",
        "eventVersion": f"{_TRAIL}event_version",
        "managementEvent": f"{_TRAIL}management_event",
        "readOnly": f"{_TRAIL}read_only",
        "recipientAccountId": f"{_TRAIL}recipient_account_id",
        "requestID": f"{_TRAIL}request_id",
        "requestParameters": f"{_TRAIL}request_parameters",
        "resources.ARN": f"{_TRAIL}resources.arn",
        "resources.accountId": f"{_TRAIL}resources.account_id",
        "resources.type": f"{_TRAIL}resources.type",
        "responseElements": f"{_TRAIL}response_elements",
        "serviceEventDetails": f"{_TRAIL}service_event_details",
        "sharedEventID": f"{_TRAIL}shared_event_id",
        "sourceIPAddress": "source.address",
        "userAgent": "user_agent.original",
        "userIdentity.accessKeyId": f"{_WHO}access_key_id",
        "userIdentity.accountId": "cloud.account.id",
        "userIdentity.arn": f"{_WHO}arn",
        "userIdentity.invokedBy": f"{_WHO}invoked_by",
        "userIdentity.principalId": "user.id",
        "userIdentity.sessionContext.attributes.creationDate": f"{_WHO}session_context.creation_date",
        "userIdentity.sessionContext.attributes.mfaAuthenticated": f"{_WHO}session_context.mfa_authenticated",
        "userIdentity.sessionContext.sessionIssuer.accountId": f"{_ISSUER}account_id",
        "userIdentity.sessionContext.sessionIssuer.arn": f"{_ISSUER}arn",
        "userIdentity.sessionContext.sessionIssuer.principalId": f"{_ISSUER}principal_id",
        "userIdentity.sessionContext.sessionIssuer.type": f"{_ISSUER}type",
        "userIdentity.sessionContext.sessionIssuer.userName": "user.name",
        "userIdentity.type": f"{_WHO}type",
        "userIdentity.userName": "user.name",
        "vpcEndpointId": f"{_TRAIL}vpc_endpoint_id",
    },
    {
        "addendum.": f"{_TRAIL}addendum.",
        "additionalEventData.": f"{_TRAIL}flattened.additional_eventdata.",
        "edgeDeviceDetails.": f"{_TRAIL}edge_device_details.",
        "insightDetails.": f"{_TRAIL}insight_details.",
        "requestParameters.": f"{_TRAIL}flattened.request_parameters.",
        "responseElements.": f"{_TRAIL}flattened.response_elements.",
        "serviceEventDetails.": f"{_TRAIL}flattened.service_event_details.",
    },
    {"sourceIPAddress": "source.ip"},
)

_AUDIT: Final = "kubernetes.audit."
_KUBERNETES: Final = RawNames(
    {
        **{
            name: _AUDIT + name
            for name in ("auditID", "level", "requestURI", "sourceIPs", "stage", "userAgent", "verb")
        },
        "stageTimestamp": "@timestamp",
    },
    {
        f"{name}.": f"{_AUDIT}{name}."
        for name in (
            "annotations",
            "impersonatedUser",
            "objectRef",
            "requestObject",
            "responseStatus",
            "user",
        )
    },
    {"sourceIPs": "related.ip"},
)

_VAULT: Final = RawNames(
    {"error": "hashicorp_vault.audit.error", "time": "@timestamp", "type": "hashicorp_vault.audit.type"},
    {f"{name}.": f"hashicorp_vault.audit.{name}." for name in ("auth", "request", "response")},
    {"request.remote_address": "source.ip"},
)

_ISTIO: Final = RawNames(
    {"start_time": "@timestamp"}, {"": "istio.access."}, {"downstream_direct_remote_address": "source.ip"}
)
_ZTUNNEL: Final = RawNames({"time": "@timestamp"}, {"": "istio.ztunnel."}, {"src.addr": "source.ip"})

RAW_NAMES: Final[Mapping[str, RawNames]] = {
    "cloudtrail": _CLOUDTRAIL,
    "istio_access": _ISTIO,
    "kubernetes_audit": _KUBERNETES,
    "vault_audit": _VAULT,
    "ztunnel": _ZTUNNEL,
}
"""By source kind; `ztunnel` are the lines of istio_access that ztunnel writes."""
