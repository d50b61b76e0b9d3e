"""Who called, and from where: userIdentity and sourceIPAddress of a CloudTrail record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connectors.sources.cloudtrail_values import HIDDEN, is_internal
from connectors.sources.kubernetes_names import user
from connectors.sources.untrusted import entity, known_address, object_at, text_at
from detectors.event import Entity

_NAMES: Final = ("arn", "userName", "principalId")
_WORKLOAD: Final = "system:serviceaccount:"


def caller(fields: Mapping[str, Any]) -> str:
    """Return the best name of the caller: its ARN, else a name, else its account, for people and entities."""
    identity = object_at(fields, "userIdentity")
    return _named(identity) or _person(identity) or account(fields) or "an unnamed caller"


def account(fields: Mapping[str, Any]) -> str | None:
    """Return the account of the caller, else the one that received the record."""
    found = text_at(fields, "userIdentity", "accountId") or text_at(fields, "recipientAccountId")
    return found or text_at(fields, "accountId")


def callers(fields: Mapping[str, Any]) -> list[Entity]:
    """Return the caller, the role behind its session, the person it acts for and its key; actors all.

    Empty for a failed sign-in whose user name is hidden: the account is not who did it.
    """
    identity = object_at(fields, "userIdentity")
    person = _person(identity)
    name = _named(identity)
    found: list[Entity] = []
    if name:
        found.append(entity("iam_principal", name, "actor"))
    elif person is None and identity.get("userName") != HIDDEN:
        found.append(entity("iam_principal", caller(fields), "actor"))
    session = identity.get("sessionContext")
    issuer = text_at(session, "sessionIssuer", "arn") if session else None
    if issuer:
        found.append(entity("iam_principal", issuer, "actor"))
    if person:
        found.append(entity("iam_principal", person, "actor"))
    key = text_at(identity, "accessKeyId")
    if key:
        found.append(entity("access_key", key, "actor"))
    if identity.get("type") == "WebIdentityUser":
        found += _workload(identity)
    return found


def source(fields: Mapping[str, Any]) -> list[Entity]:
    """Return the address of the call, or the host where sourceIPAddress is a service's DNS name."""
    text = text_at(fields, "sourceIPAddress")
    if not text or is_internal(text):
        return []
    ip = known_address(text)
    return [Entity("address", ip, "source") if ip else entity("host", text, "source")]


def _named(identity: Mapping[str, Any]) -> str | None:
    for key in _NAMES:
        text = identity.get(key)
        if isinstance(text, str) and text and text != HIDDEN and text != identity.get("accountId"):
            return text
    service = text_at(identity, "invokedBy")
    return service if service and not is_internal(service) else None


def _person(identity: Mapping[str, Any]) -> str | None:
    """The ARN of the Identity Center user on whose behalf a session acts."""
    person = text_at(identity, "onBehalfOf", "userId") if "onBehalfOf" in identity else None
    return f"arn:aws:identitystore:::user/{person}" if person else None


def _workload(identity: Mapping[str, Any]) -> list[Entity]:
    """The service account whose projected token a web identity is."""
    name = text_at(identity, "userName") or ""
    return [user(name, "actor")] if name.startswith(_WORKLOAD) else []
