"""Names of CloudTrail's fields in ECS, as Elastic's AWS integration and our own documents give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connectors.sources.cloudtrail_outcome import outcome as ended
from connectors.sources.cloudtrail_overview import is_overview
from connectors.sources.cloudtrail_values import HIDDEN
from connectors.sources.field_names import FieldNames, constant, first, ip, outcome
from connectors.sources.untrusted import text_at
from detectors.event import Fields, Outcome
from detectors.sigma.path import MISSING, Derived, Found

_VENDOR: Final = "aws.cloudtrail."
_TABLE: Final[Mapping[str, str]] = {
    "@timestamp": "eventTime",
    "event.action": "eventName",
    "event.provider": "eventSource",
    "cloud.region": "awsRegion",
    "error.code": "errorCode",
    "error.message": "errorMessage",
    "http.request.id": "requestID",
    "source.address": "sourceIPAddress",
    "user_agent.original": "userAgent",
    "tls.cipher": "tlsDetails.cipherSuite",
    "tls.client.server_name": "tlsDetails.clientProvidedHostHeader",
}
_RECORD: Final[dict[str, str]] = {
    "additional_eventdata": "additionalEventData",
    "api_version": "apiVersion",
    "error_code": "errorCode",
    "error_message": "errorMessage",
    "event_category": "eventCategory",
    "event_type": "eventType",
    "event_version": "eventVersion",
    "management_event": "managementEvent",
    "read_only": "readOnly",
    "recipient_account_id": "recipientAccountId",
    "request_id": "requestID",
    "request_parameters": "requestParameters",
    "resources.account_id": "resources.accountId",
    "resources.arn": "resources.ARN",
    "resources.type": "resources.type",
    "response_elements": "responseElements",
    "service_event_details": "serviceEventDetails",
    "session_credential_from_console": "sessionCredentialFromConsole",
    "shared_event_id": "sharedEventID",
    "vpc_endpoint_id": "vpcEndpointId",
    "console_login.additional_eventdata.login_to": "additionalEventData.LoginTo",
    "console_login.additional_eventdata.mfa_used": "additionalEventData.MFAUsed",
    "console_login.additional_eventdata.mobile_version": "additionalEventData.MobileVersion",
    "user_identity.access_key_id": "userIdentity.accessKeyId",
    "user_identity.arn": "userIdentity.arn",
    "user_identity.invoked_by": "userIdentity.invokedBy",
    "user_identity.type": "userIdentity.type",
}
_SESSION: Final[Mapping[str, str]] = {
    "creation_date": "attributes.creationDate",
    "mfa_authenticated": "attributes.mfaAuthenticated",
    "session_issuer.account_id": "sessionIssuer.accountId",
    "session_issuer.arn": "sessionIssuer.arn",
    "session_issuer.principal_id": "sessionIssuer.principalId",
    "session_issuer.type": "sessionIssuer.type",
}
_BELOW: Final[Mapping[str, str]] = {
    "flattened.additional_eventdata.": "additionalEventData.",
    "flattened.request_parameters.": "requestParameters.",
    "flattened.response_elements.": "responseElements.",
    "flattened.service_event_details.": "serviceEventDetails.",
    "addendum.": "addendum.",
    "edge_device_details.": "edgeDeviceDetails.",
    "insight_details.": "insightDetails.",
    "summary.": "summary.",
    "time_window.": "timeWindow.",
}


def field_names() -> FieldNames:
    """Return the aliases of CloudTrail."""
    derived: dict[str, str] = {
        "cloud.account.id": first("userIdentity.accountId", "recipientAccountId", "accountId"),
        "cloud.provider": constant("aws"),
        "event.outcome": outcome(_ended),
        "source.ip": ip("sourceIPAddress"),
        "user.id": first("userIdentity.principalId", "userIdentity.onBehalfOf.userId"),
        "user.name": Derived("userIdentity", "name", _user_name),
    }
    session = {
        f"user_identity.session_context.{name}": f"userIdentity.sessionContext.{path}"
        for name, path in _SESSION.items()
    }
    vendor = {f"{_VENDOR}{name}": path for name, path in (_RECORD | session).items()}
    below = {f"{_VENDOR}{start}": path for start, path in _BELOW.items()}
    return FieldNames({**_TABLE, **derived, **vendor}, below)


def _ended(fields: Mapping[str, Any]) -> Outcome:
    return "unknown" if is_overview(fields) else ended(fields)


def _user_name(fields: Fields) -> Found:
    """Return the role's name of a session, else the user's; what was typed at a failed sign-in is none."""
    who = fields.get("userIdentity")
    own = text_at(who, "userName")
    name = text_at(who, "sessionContext", "sessionIssuer", "userName") or (None if own == HIDDEN else own)
    return name or MISSING
