"""What a CloudTrail call is about: the credential at risk first, then what its parameters name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connectors.sources.cloudtrail_caller import account, caller
from connectors.sources.untrusted import entity, list_at, object_at, text_at
from detectors.event import Entity, EntityType

_KEY_CALLS: Final = frozenset(
    {"CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey", "CreateLoginProfile", "UpdateLoginProfile"}
)
_NAMED: Final[tuple[tuple[str, EntityType], ...]] = (
    ("bucketName", "bucket"),
    ("secretId", "secret"),
    ("userName", "iam_principal"),
    ("roleName", "iam_principal"),
    ("roleArn", "iam_principal"),
    ("dBInstanceIdentifier", "database"),
    ("dBClusterIdentifier", "database"),
    ("instanceId", "host"),
)
_KEYS: Final = frozenset(key for key, _ in _NAMED)
_MACHINES_LIMIT: Final = 8


def credential(fields: Mapping[str, Any]) -> list[Entity]:
    """Return the credential that a call on access keys or passwords puts at risk, none for other calls."""
    if fields.get("eventName") not in _KEY_CALLS:
        return []
    user = text_at(fields, "requestParameters", "userName")
    user = user or text_at(fields, "responseElements", "accessKey", "userName")
    user = user or text_at(fields, "userIdentity", "userName")
    return [entity("credential", f"iam:{user or caller(fields)}", "target")]


def targets(fields: Mapping[str, Any]) -> list[Entity]:
    """Return what the parameters and the answer name, at most eight machines."""
    asked = object_at(fields, "requestParameters")
    found: list[Entity] = []
    if asked and not _KEYS.isdisjoint(asked):
        for key, kind in _NAMED:
            text = asked.get(key)
            if isinstance(text, str) and text:
                name = _arn(fields, key, text) if kind == "iam_principal" else text
                found.append(entity(kind, name, "target"))
    if "instancesSet" in asked:
        for item in list_at(asked, "instancesSet", "items")[:_MACHINES_LIMIT]:
            machine = text_at(item, "instanceId")
            if machine:
                found.append(entity("host", machine, "target"))
    answer = fields.get("responseElements")
    made = text_at(answer, "accessKey", "accessKeyId") if answer else None
    made = made or text_at(asked, "accessKeyId")
    if made:
        found.append(entity("access_key", made, "target"))
    return found


def _arn(fields: Mapping[str, Any], key: str, name: str) -> str:
    """The ARN of a user or role that is named without one, in the account of the caller."""
    owner = account(fields)
    if name.startswith("arn:") or not owner:
        return name
    return f"arn:aws:iam::{owner}:{'user' if key == 'userName' else 'role'}/{name}"
