"""A Vault audit entry without what a mount was told not to hash: plain texts of data, plain tokens."""

from __future__ import annotations

from typing import Any, Final

from connectors.ecs.redaction import LIST_LIMIT, MASK
from connectors.sources.untrusted import object_at
from connectors.sources.vault_path import shown

_HASHED: Final = "hmac-sha256:"
_HARMLESS: Final = frozenset(
    {
        "last_vault_rotation",
        "expiration",
        "expire_time",
        "issue_time",
        "created_time",
        "deletion_time",
        "type",
    }
)
_SIDES: Final = ("request", "response")
_PARTS: Final = ("auth", "request", "response")


def readable(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the entry with every unhashed text of request and response data masked, times apart.

    So is a token's id in the path, which may be of anybody's choice.

    An entry that holds none is returned as it is.
    """
    record = fields
    request = fields.get("request")
    path = request.get("path") if isinstance(request, dict) else None
    if isinstance(path, str) and "auth/token/" in path:
        record = {**record, "request": {**object_at(fields, "request"), "path": shown(path)}}
    for side in _SIDES:
        part = record.get(side)
        if isinstance(part, dict) and "data" in part:
            data = _hide("", part["data"])
            if data is not part["data"]:
                record = {**record, side: {**part, "data": data}}
    for key in _PARTS:
        part = record.get(key)
        if (
            isinstance(part, dict)
            and "client_token" in part
            and not str(part["client_token"]).startswith(_HASHED)
        ):
            record = {**record, key: {**part, "client_token": MASK}}
    return record


def _hide(key: str, value: Any) -> Any:
    """`value` itself where nothing below it is to be masked, else a copy."""
    if isinstance(value, str):
        return value if not value or value.startswith(_HASHED) or key in _HARMLESS else MASK
    if isinstance(value, dict):
        hidden = {name: _hide(name, item) for name, item in value.items()}
        return value if all(hidden[name] is item for name, item in value.items()) else hidden
    if isinstance(value, list):
        items = [_hide(key, item) for item in value[:LIST_LIMIT]]
        same = len(items) == len(value) and all(new is old for new, old in zip(items, value, strict=True))
        return value if same else items
    return value
