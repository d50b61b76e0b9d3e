"""Who stands behind temporary credentials: what AWS STS answers when it hands them out.

The answer of AssumeRole and its kin names the new session and its key; the record names the caller. Both are
AWS's word. A session's name is the caller's choice, so two callers may share one; its key is nobody else's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connectors.sources.cloudtrail_outcome import outcome
from connectors.sources.kubernetes_names import SERVICE_ACCOUNT, user
from connectors.sources.untrusted import entity, list_at, object_at, text_at
from detectors.event import Alias, EntityType

STS: Final = "sts.amazonaws.com"
HANDS_OUT: Final = ("Assume", "GetSessionToken", "GetFederationToken")
"""How the names of those calls begin."""
_POD_IDENTITY: Final = "pods.eks.amazonaws.com"
_NAMED: Final = frozenset({"IAMUser", "AssumedRole", "Root", "FederatedUser"})
_OUTSIDE: Final = frozenset({"WebIdentityUser", "SAMLUser"})
_MOST_TAGS: Final = 64


def handed_out(fields: Mapping[str, Any], at: float) -> list[Alias]:
    """Return session and key of a role that was assumed, each with who asked; valid from `at` (s, UTC)."""
    name = fields.get("eventName")
    if fields.get("eventSource") != STS or not isinstance(name, str) or not name.startswith(HANDS_OUT):
        return []
    if outcome(fields) == "failure":
        return []
    answer = object_at(fields, "responseElements")
    key, session = text_at(answer, "credentials", "accessKeyId"), text_at(answer, "assumedRoleUser", "arn")
    if not key and not session:
        return []
    asked = _caller(fields)
    if asked is None:
        return []
    found: list[Alias] = []
    if session:
        opened = entity("iam_principal", session, "actor")[:2]
        found += [Alias(opened, asked, at)] if opened != asked else []
    if key:
        found.append(Alias(entity("access_key", key, "actor")[:2], asked, at))
    return found


def _caller(fields: Mapping[str, Any]) -> tuple[EntityType, str] | None:
    """Return who asked, None when the record does not say it by a name of its own."""
    identity = object_at(fields, "userIdentity")
    kind = text_at(identity, "type")
    if kind in _NAMED:
        name = text_at(identity, "arn")
        return entity("iam_principal", name, "actor")[:2] if name else None
    if kind in _OUTSIDE:
        name = text_at(identity, "userName") or text_at(identity, "principalId")
        if not name:
            return None
        web = kind == "WebIdentityUser" and name.startswith(SERVICE_ACCOUNT)
        return user(name, "actor")[:2] if web else entity("iam_principal", name, "actor")[:2]
    return _pod_identity(fields) if kind == "AWSService" else None


def _pod_identity(fields: Mapping[str, Any]) -> tuple[EntityType, str] | None:
    """Return the service account of EKS Pod Identity: that service tags the session of the role so."""
    if text_at(fields, "userIdentity", "invokedBy") != _POD_IDENTITY:
        return None
    tags: dict[str, str] = {}
    for tag in list_at(fields, "requestParameters", "tags")[:_MOST_TAGS]:
        key, value = text_at(tag, "key"), text_at(tag, "value")
        if key and value:
            tags.setdefault(key, value)
    namespace, name = tags.get("kubernetes-namespace"), tags.get("kubernetes-service-account")
    if not namespace or not name:
        return None
    return entity("service_account", f"{namespace}/{name}", "actor")[:2]
