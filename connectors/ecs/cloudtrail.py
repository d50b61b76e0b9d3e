"""CloudTrail in ECS, as Elastic's own integration maps it."""

from __future__ import annotations

from typing import Any, Final

import orjson

from connectors.ecs.cloudtrail_actions import classify
from connectors.ecs.document import KEYWORD_LIMIT, Ecs, of_event, texts
from connectors.ecs.shown import shown
from connectors.sources.untrusted import object_at, text_at
from detectors.event import Event

_FLATTENED_LIMIT: Final = 32_000
_BODIES: Final = (
    ("requestParameters", "request_parameters"),
    ("responseElements", "response_elements"),
    ("additionalEventData", "additional_eventdata"),
)


def document(event: Event) -> dict[str, Any]:
    """Return the ECS document of a CloudTrail event."""
    fields, text = shown(event.fields)
    get = fields.get
    service, action = str(fields["eventSource"]), str(fields["eventName"])
    identity = object_at(fields, "userIdentity")
    asked = get("requestParameters")
    ecs = of_event(event, fields, "aws.cloudtrail", "aws", text)
    name = identity.get("userName")
    user = {"name": name, "id": identity.get("principalId")}
    if "sessionContext" in identity:
        user["name"] = text_at(identity, "sessionContext", "sessionIssuer", "userName") or name
    category, kind = classify(service, action)
    account = text_at(identity, "accountId") or text_at(fields, "recipientAccountId")
    ecs.objects(
        {
            "event": {**texts({"provider": service, "action": action}), "category": category, "type": kind},
            "user": texts(user),
            "cloud": texts({"provider": "aws", "region": get("awsRegion")}),
            "user_agent": texts({"original": get("userAgent")}),
            "error": texts({"code": get("errorCode"), "message": get("errorMessage")}),
            "aws": {"cloudtrail": _vendor(fields, identity)},
        }
    )
    ecs.put("cloud.account.id", account)
    ecs.put("http.request.id", text_at(fields, "requestID"))
    if isinstance(asked, dict):
        _asked(ecs, asked)
    _tls(ecs, get("tlsDetails"))
    ecs.endpoint("source", text_at(fields, "sourceIPAddress"))
    ecs.related("user", user["name"], text_at(asked, "userName"), name)
    return ecs.finish()


def _asked(ecs: Ecs, asked: dict[str, Any]) -> None:
    """Whom a call changes: the user, its new name, the group."""
    for key, path in (
        ("userName", "user.target.name"),
        ("newUserName", "user.changes.name"),
        ("groupName", "group.name"),
    ):
        if key in asked:
            ecs.put(path, text_at(asked, key))


def _tls(ecs: Ecs, tls: Any) -> None:
    if not isinstance(tls, dict):
        return
    found = texts({"cipher": tls.get("cipherSuite")})
    version = tls.get("tlsVersion")
    if isinstance(version, str) and version.lower().startswith("tlsv"):
        found |= texts({"version": version[4:], "version_protocol": "tls"})
    ecs.objects({"tls": found})
    ecs.put("tls.client.server_name", text_at(tls, "clientProvidedHostHeader"))


def _vendor(fields: dict[str, Any], identity: dict[str, Any]) -> dict[str, Any]:
    get, who = fields.get, identity.get
    vendor = texts(
        {
            "event_version": get("eventVersion"),
            "event_type": get("eventType"),
            "event_category": get("eventCategory"),
            "error_code": get("errorCode"),
            "error_message": get("errorMessage"),
            "recipient_account_id": get("recipientAccountId"),
            "shared_event_id": get("sharedEventID"),
            "request_id": get("requestID"),
        }
    )
    caller = texts(
        {
            "type": who("type"),
            "arn": who("arn"),
            "access_key_id": who("accessKeyId"),
            "invoked_by": who("invokedBy"),
        }
    )
    if caller:
        vendor["user_identity"] = caller
    if (read_only := get("readOnly")) is not None and read_only not in ("", [], {}):
        vendor["read_only"] = read_only if not isinstance(read_only, str) else read_only[:KEYWORD_LIMIT]
    flattened: dict[str, Any] = {}
    for key, path in _BODIES:
        value = get(key)
        if not value:
            continue
        text = orjson.dumps(value).decode()
        if len(text) < _FLATTENED_LIMIT:
            vendor[path] = text
            flattened[path] = value[:KEYWORD_LIMIT] if isinstance(value, str) else value
    if flattened:
        vendor["flattened"] = flattened
    return vendor
