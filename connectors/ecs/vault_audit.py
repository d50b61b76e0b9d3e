"""Vault audit entries in ECS. What a mount was told not to hash is masked here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connectors.ecs.document import of_event
from connectors.ecs.redaction import MASK
from connectors.ecs.shown import shown
from connectors.sources.untrusted import integer_at, list_at, object_at, text_at
from detectors.event import Event

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


def document(event: Event) -> dict[str, Any]:
    """Return the ECS document of an audit entry."""
    fields, text = shown(_hidden(event.fields))
    ecs = of_event(event, fields, "hashicorp_vault.audit", "hashicorp_vault", text)
    name = text_at(fields, "auth", "display_name")
    path = text_at(fields, "request", "path") or ""
    port = integer_at(fields, "request", "remote_port")
    agents = object_at(fields, "request", "headers").get("user-agent")
    login = path.startswith("auth/") and "login" in path
    ecs.put_all(
        (
            ("event.provider", "vault"),
            ("event.action", text_at(fields, "request", "operation")),
            ("event.category", ["authentication"] if login else ["configuration"]),
            ("event.type", ["start"] if login else _type(text_at(fields, "request", "operation"))),
            ("user.name", name),
            ("user.id", text_at(fields, "auth", "entity_id")),
            (
                "user.roles",
                [text for text in list_at(fields, "auth", "policies")[:64] if isinstance(text, str)],
            ),
            ("http.request.id", text_at(fields, "request", "id")),
            ("url.path", path),
            ("user_agent.original", agents[0] if isinstance(agents, list) and agents else None),
            ("error.message", text_at(fields, "error")),
        )
    )
    ecs.endpoint("source", text_at(fields, "request", "remote_address"))
    ecs.put("source.port", port if port and 0 < port < 65_536 else None)
    ecs.related("user", name)
    ecs.put("hashicorp_vault.audit.type", text_at(fields, "type"))
    for key in ("auth", "request"):
        ecs.put(f"hashicorp_vault.audit.{key}", object_at(fields, key))
    ecs.put("hashicorp_vault.audit.error", text_at(fields, "error"))
    return ecs.finish()


def _type(operation: str | None) -> list[str]:
    kinds = {
        "read": "access",
        "list": "access",
        "create": "creation",
        "delete": "deletion",
        "update": "change",
    }
    return [kinds.get(operation or "", "info")]


def _hidden(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The entry with every unhashed text of request and response data masked, times apart."""
    record = dict(fields)
    for side in ("request", "response"):
        part = object_at(record, side)
        if "data" in part:
            record[side] = {**part, "data": _hide("", part["data"])}
    for key in ("auth", "request", "response"):
        part = object_at(record, key)
        held = {
            name: MASK for name in ("client_token",) if not str(part.get(name, _HASHED)).startswith(_HASHED)
        }
        if held:
            record[key] = {**part, **held}
    return record


def _hide(key: str, value: Any) -> Any:
    if isinstance(value, str):
        return value if not value or value.startswith(_HASHED) or key in _HARMLESS else MASK
    if isinstance(value, dict):
        return {name: _hide(name, item) for name, item in value.items()}
    if isinstance(value, list):
        return [_hide(key, item) for item in value[:1000]]
    return value
