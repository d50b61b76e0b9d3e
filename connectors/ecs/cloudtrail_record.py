"""`aws.cloudtrail.*`: what a CloudTrail record says beyond ECS, named as Elastic's integration names it."""

from __future__ import annotations

from typing import Any, Final

import orjson

from connectors.ecs.head import label, word, words
from connectors.sources.cloudtrail_values import truth
from connectors.sources.untrusted import object_at

# A flattened value and a keyword of Lucene hold 32,766 bytes at most.
_TEXT_LIMIT: Final = 32_000
_PLAIN: Final = (
    ("eventVersion", "event_version"),
    ("eventType", "event_type"),
    ("eventCategory", "event_category"),
    ("errorCode", "error_code"),
    ("errorMessage", "error_message"),
    ("recipientAccountId", "recipient_account_id"),
    ("sharedEventID", "shared_event_id"),
    ("requestID", "request_id"),
    ("apiVersion", "api_version"),
    ("vpcEndpointId", "vpc_endpoint_id"),
)
_RESOURCE: Final = (("ARN", "arn"), ("accountId", "account_id"), ("type", "type"))
_BODIES: Final = (
    ("requestParameters", "request_parameters"),
    ("responseElements", "response_elements"),
    ("additionalEventData", "additional_eventdata"),
    ("serviceEventDetails", "service_event_details"),
)
_OBJECTS: Final = (
    ("insightDetails", "insight_details"),
    ("addendum", "addendum"),
    ("edgeDeviceDetails", "edge_device_details"),
    ("summary", "summary"),
    ("timeWindow", "time_window"),
)
_BOOLEANS: Final = (("readOnly", "read_only"), ("managementEvent", "management_event"))
_MOST_RESOURCES: Final = 20


def record_fields(fields: dict[str, Any], out: dict[str, Any]) -> dict[str, Any]:
    """Return the vendor fields of a redacted record; a label names a body that is too long for a field."""
    get = fields.get
    vendor = words(get, _PLAIN)
    for key, name in _BOOLEANS:
        value = get(key)
        told = value if value is None or value is True or value is False else truth(value)
        if told is not None:
            vendor[name] = told
    resources = get("resources")
    if isinstance(resources, list) and resources:
        vendor["resources"] = [
            words(item.get, _RESOURCE) for item in resources[:_MOST_RESOURCES] if isinstance(item, dict)
        ]
    flattened: dict[str, Any] = {}
    for key, name in _BODIES:
        value = get(key)
        if value:
            _body(name, value, vendor, flattened, out)
    if flattened:
        vendor["flattened"] = flattened
    for key, name in _OBJECTS:
        if key in fields and (value := object_at(fields, key)):
            vendor[name] = value
    if "sessionCredentialFromConsole" in fields:
        vendor["session_credential_from_console"] = word(str(get("sessionCredentialFromConsole")).lower())
    return vendor


def _body(
    name: str, value: Any, vendor: dict[str, Any], flattened: dict[str, Any], out: dict[str, Any]
) -> None:
    """A body as one text for `contains`, and as fields."""
    text = orjson.dumps(value)
    if len(text) >= _TEXT_LIMIT:
        label(out, "left_out", name)
        return
    vendor[name] = text.decode()
    if isinstance(value, dict):
        flattened[name] = value
        if "omitted" in value and truth(value["omitted"]):
            label(out, "omitted", name)
