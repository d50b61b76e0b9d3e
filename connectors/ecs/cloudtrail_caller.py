"""Who called, of a CloudTrail record: `user.*`, the account and `aws.cloudtrail.user_identity.*`.

A session makes many calls with the same userIdentity, so what is made of one is kept by its JSON text.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple

import orjson

from connectors.ecs.head import word, words
from connectors.sources.cloudtrail_values import HIDDEN
from connectors.sources.untrusted import text_at

_KEPT_SIZE: Final = 2 * 1024
_CALLER: Final = (
    ("type", "type"),
    ("arn", "arn"),
    ("accessKeyId", "access_key_id"),
    ("invokedBy", "invoked_by"),
)
_ISSUER: Final = (
    ("type", "type"),
    ("principalId", "principal_id"),
    ("arn", "arn"),
    ("accountId", "account_id"),
)


class Caller(NamedTuple):
    """What a userIdentity says; the objects are shared, copy them before a change.

    `own_name` is userName, which differs from `user.name` (the role's) in a session of a named person.
    """

    user: dict[str, Any]
    identity: dict[str, Any]
    account: str | None
    own_name: str | None


_NOBODY: Final = Caller({}, {}, None, None)


def caller(identity: Any) -> Caller:
    """Return what a redacted userIdentity says; nothing where it is no object."""
    if not isinstance(identity, dict) or not identity:
        return _NOBODY
    text = orjson.dumps(identity)
    return _caller(text) if len(text) <= _KEPT_SIZE else _caller.__wrapped__(text)


@lru_cache(maxsize=2048)
def _caller(text: bytes) -> Caller:
    who = orjson.loads(text)
    own = word(who.get("userName"))
    own = None if own == HIDDEN else own
    user: dict[str, Any] = {}
    name = word(text_at(who, "sessionContext", "sessionIssuer", "userName")) or own
    if name:
        user["name"] = name
    ident = word(who.get("principalId")) or word(text_at(who, "onBehalfOf", "userId"))
    if ident:
        user["id"] = ident
    identity: dict[str, Any] = words(who.get, _CALLER)
    session = _session(who.get("sessionContext"))
    if session:
        identity["session_context"] = session
    return Caller(user, identity, word(who.get("accountId")), own)


def _session(context: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if not isinstance(context, dict):
        return found
    issuer = context.get("sessionIssuer")
    if isinstance(issuer, dict) and issuer:
        found["session_issuer"] = words(issuer.get, _ISSUER)
    attributes = context.get("attributes")
    if isinstance(attributes, dict):
        told = (("mfaAuthenticated", "mfa_authenticated"), ("creationDate", "creation_date"))
        found |= words(attributes.get, told)
    return found
