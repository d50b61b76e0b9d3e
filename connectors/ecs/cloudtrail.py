"""CloudTrail in ECS, as Elastic's own integration maps it."""

from __future__ import annotations

from typing import Any, Final

import orjson

from connectors.ecs.document import Ecs, of_event
from connectors.ecs.redaction import redact
from connectors.sources.untrusted import object_at, text_at
from detectors.event import Event

_FLATTENED_LIMIT: Final = 32_000
_CATEGORIES: Final = (
    (("iam.amazonaws.com", "sts.amazonaws.com", "sso.amazonaws.com"), ["iam"]),
    (("signin.amazonaws.com",), ["authentication"]),
    (("s3.amazonaws.com",), ["file"]),
    (("ec2.amazonaws.com", "elasticloadbalancing.amazonaws.com"), ["host"]),
    (("rds.amazonaws.com", "dynamodb.amazonaws.com", "redshift.amazonaws.com"), ["database"]),
)
_TYPES: Final = (
    (("Create", "Put", "Run", "Add", "Attach"), ["creation"]),
    (("Delete", "Remove", "Terminate", "Detach"), ["deletion"]),
    (("Update", "Modify", "Set", "Stop", "Start", "Change", "Enable", "Disable"), ["change"]),
    (("Get", "List", "Describe", "Head", "Lookup"), ["access"]),
)


def document(event: Event) -> dict[str, Any]:
    """Return the ECS document of a CloudTrail event."""
    fields: dict[str, Any] = redact(event.fields)
    service, action = str(fields["eventSource"]), str(fields["eventName"])
    identity = object_at(fields, "userIdentity")
    issuer = object_at(identity, "sessionContext", "sessionIssuer")
    ecs = of_event(event, fields, "aws.cloudtrail", "aws")
    name = text_at(issuer, "userName") or text_at(identity, "userName")
    target = text_at(fields, "requestParameters", "userName")
    ecs.put_all(
        (
            ("event.provider", service),
            ("event.action", action),
            ("event.category", _category(service)),
            ("event.type", _type(action)),
            ("user.name", name),
            ("user.id", text_at(identity, "principalId")),
            ("user.target.name", target),
            ("user.changes.name", text_at(fields, "requestParameters", "newUserName")),
            ("group.name", text_at(fields, "requestParameters", "groupName")),
            ("cloud.provider", "aws"),
            ("cloud.account.id", text_at(identity, "accountId") or text_at(fields, "recipientAccountId")),
            ("cloud.region", text_at(fields, "awsRegion")),
            ("user_agent.original", text_at(fields, "userAgent")),
            ("http.request.id", text_at(fields, "requestID")),
            ("error.code", text_at(fields, "errorCode")),
            ("error.message", text_at(fields, "errorMessage")),
            ("tls.cipher", text_at(fields, "tlsDetails", "cipherSuite")),
            ("tls.client.server_name", text_at(fields, "tlsDetails", "clientProvidedHostHeader")),
        )
    )
    version = text_at(fields, "tlsDetails", "tlsVersion")
    if version and version.lower().startswith("tlsv"):
        ecs.put_all((("tls.version", version[4:]), ("tls.version_protocol", "tls")))
    ecs.endpoint("source", text_at(fields, "sourceIPAddress"))
    ecs.related("user", name, target, text_at(identity, "userName"))
    _vendor(ecs, fields, identity)
    return ecs.finish()


def _vendor(ecs: Ecs, fields: dict[str, Any], identity: dict[str, Any]) -> None:
    for key, path in (
        ("eventVersion", "event_version"),
        ("eventType", "event_type"),
        ("eventCategory", "event_category"),
        ("errorCode", "error_code"),
        ("errorMessage", "error_message"),
        ("recipientAccountId", "recipient_account_id"),
        ("sharedEventID", "shared_event_id"),
        ("requestID", "request_id"),
    ):
        ecs.put(f"aws.cloudtrail.{path}", text_at(fields, key))
    for key in ("type", "arn", "accessKeyId", "invokedBy"):
        snake = {"accessKeyId": "access_key_id", "invokedBy": "invoked_by"}.get(key, key)
        ecs.put(f"aws.cloudtrail.user_identity.{snake}", text_at(identity, key))
    ecs.put("aws.cloudtrail.read_only", fields.get("readOnly"))
    for key, path in (
        ("requestParameters", "request_parameters"),
        ("responseElements", "response_elements"),
        ("additionalEventData", "additional_eventdata"),
    ):
        value = fields.get(key)
        if not value:
            continue
        text = orjson.dumps(value).decode()
        if len(text) < _FLATTENED_LIMIT:
            ecs.put(f"aws.cloudtrail.{path}", text, _FLATTENED_LIMIT)
            ecs.put(f"aws.cloudtrail.flattened.{path}", value)


def _category(service: str) -> list[str]:
    for services, category in _CATEGORIES:
        if service in services:
            return category
    return ["configuration"]


def _type(action: str) -> list[str]:
    if action == "ConsoleLogin":
        return ["start"]
    for prefixes, kind in _TYPES:
        if action.startswith(prefixes):
            return kind
    return ["info"]
