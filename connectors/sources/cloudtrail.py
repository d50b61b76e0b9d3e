"""AWS CloudTrail records, version 1.x (conventions: CloudTrail record contents)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from connectors.ecs.cloudtrail import document
from connectors.sources.moment import seconds
from connectors.sources.reject import Reason, Reject
from connectors.sources.source import NOWHERE
from connectors.sources.untrusted import address, clean, distinct, entity, list_at, object_at, text_at
from detectors.event import Alias, Contact, Entity, EntityType, Event, Json, Locator, LogSource, Outcome
from detectors.identifier import source_id

_KEY_CALLS: Final = frozenset(
    {"CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey", "CreateLoginProfile", "UpdateLoginProfile"}
)
_TARGETS: Final[tuple[tuple[str, EntityType], ...]] = (
    ("bucketName", "bucket"),
    ("secretId", "secret"),
    ("userName", "iam_principal"),
    ("roleName", "iam_principal"),
    ("roleArn", "iam_principal"),
    ("dBInstanceIdentifier", "database"),
    ("dBClusterIdentifier", "database"),
    ("instanceId", "host"),
)


class CloudTrail:
    """One CloudTrail record an event. Event time is `eventTime`, the end of the call."""

    kind: str = "cloudtrail"
    logsources: tuple[LogSource, ...] = (LogSource("aws", "cloudtrail", None),)
    aliases: Mapping[str, str] = MappingProxyType({})

    def recognise(self, value: Json) -> bool:
        """Return whether `value` has the keys that every record has."""
        return isinstance(value, dict) and "eventName" in value and "eventSource" in value

    def recognise_line(self, line: bytes) -> bool:
        """CloudTrail has no text format."""
        return False

    def parse(self, value: Any, locator: Locator, origin: Mapping[str, str] = NOWHERE) -> Event:
        """Return the event. Raises Reject."""
        if not isinstance(value, dict):
            raise Reject(Reason.WRONG_TYPE, "a record is an object")
        if not isinstance(value.get("eventName"), str) or not isinstance(value.get("eventSource"), str):
            raise Reject(Reason.WRONG_TYPE, "eventName and eventSource are texts")
        if value["eventSource"] == "aws:s3":
            raise Reject(Reason.POINTER, "an S3 notification, holds no event")
        return Event(self, seconds(value.get("eventTime"), "eventTime"), value, locator, origin)

    def event_id(self, event: Event) -> str:
        """Return eventID, or the locator when there is none."""
        text = text_at(event.fields, "eventID")
        return source_id(text) if text else str(event.locator)

    def entities(self, event: Event) -> Sequence[Entity]:
        """Return the credential at risk first for key calls, else the caller."""
        fields = event.fields
        found = [] if fields["eventName"] not in _KEY_CALLS else [_credential(fields)]
        found += [*_callers(fields), *_source(fields), *_targets(fields)]
        return distinct(found)

    def outcome(self, event: Event) -> Outcome:
        """Return failure on an error code, or when a console login says so."""
        fields = event.fields
        if fields.get("errorCode") or fields.get("errorMessage"):
            return "failure"
        if fields["eventName"] == "ConsoleLogin":
            said = text_at(fields, "responseElements", "ConsoleLogin")
            return "success" if said == "Success" else "failure" if said == "Failure" else "unknown"
        return "success"

    def summary(self, event: Event) -> str:
        """Return who called what from where, and how it ended."""
        fields = event.fields
        service = clean(str(fields["eventSource"]).removesuffix(".amazonaws.com"))
        call = f"{service}:{clean(str(fields['eventName']))}"
        origin = clean(text_at(fields, "sourceIPAddress") or "an unknown address")
        error = text_at(fields, "errorCode")
        ending = f" and got {clean(error)}" if error else ""
        return f"{clean(_name(fields))} called {call} from {origin}{ending}"

    def aliases_in(self, event: Event) -> Sequence[Alias]:
        """CloudTrail proves no alias that outlives a session."""
        return ()

    def contacts(self, event: Event) -> Sequence[Contact]:
        """CloudTrail feeds no baseline of this release."""
        return ()

    def ecs(self, event: Event) -> dict[str, Any]:
        """Return the ECS document."""
        return document(event)


def _name(fields: Mapping[str, Any]) -> str:
    identity = object_at(fields, "userIdentity")
    for key in ("arn", "userName", "principalId", "invokedBy", "accountId", "type"):
        text = text_at(identity, key)
        if text:
            return text
    return "an unnamed caller"


def _callers(fields: Mapping[str, Any]) -> list[Entity]:
    identity = object_at(fields, "userIdentity")
    found = [entity("iam_principal", _name(fields), "actor")]
    issuer = text_at(identity, "sessionContext", "sessionIssuer", "arn")
    if issuer:
        found.append(entity("iam_principal", issuer, "actor"))
    key = text_at(identity, "accessKeyId")
    if key:
        found.append(entity("access_key", key, "actor"))
    return found


def _source(fields: Mapping[str, Any]) -> list[Entity]:
    text = text_at(fields, "sourceIPAddress")
    if not text:
        return []
    ip = address(text)
    return [Entity("address", ip, "source") if ip else entity("host", text, "source")]


def _credential(fields: Mapping[str, Any]) -> Entity:
    user = text_at(fields, "requestParameters", "userName")
    user = user or text_at(fields, "responseElements", "accessKey", "userName")
    user = user or text_at(fields, "userIdentity", "userName")
    return entity("credential", f"iam:{user or _name(fields)}", "target")


def _targets(fields: Mapping[str, Any]) -> list[Entity]:
    asked = object_at(fields, "requestParameters")
    account = text_at(fields, "userIdentity", "accountId") or text_at(fields, "recipientAccountId")
    found: list[Entity] = []
    for key, kind in _TARGETS:
        text = text_at(asked, key)
        if not text:
            continue
        if kind == "iam_principal" and account and not text.startswith("arn:"):
            text = f"arn:aws:iam::{account}:{'user' if key == 'userName' else 'role'}/{text}"
        found.append(entity(kind, text, "target"))
    for item in list_at(asked, "instancesSet", "items")[:8]:
        machine = text_at(item, "instanceId")
        if machine:
            found.append(entity("host", machine, "target"))
    made = text_at(fields, "responseElements", "accessKey", "accessKeyId") or text_at(asked, "accessKeyId")
    if made:
        found.append(entity("access_key", made, "target"))
    return found
