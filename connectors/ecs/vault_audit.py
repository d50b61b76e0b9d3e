"""Vault audit entries in ECS. What a mount was told not to hash is masked here."""

from __future__ import annotations

from typing import Any, Final

from connectors.ecs.head import distinct, endpoint, head, many, place, word, words
from connectors.ecs.shown import shown
from connectors.ecs.vault_action import classify
from connectors.ecs.vault_body import readable
from connectors.sources.untrusted import integer_at, object_at, text_at
from detectors.event import Event

_PARTS: Final = ("auth", "request", "response")
_USERS: Final = ("users", "user", "role", "roles", "certs", "groups", "login")


def document(event: Event) -> dict[str, Any]:
    """Return the ECS document of an audit entry."""
    fields, text = shown(readable(event.fields))
    out, about = head(event, text, "hashicorp_vault", "hashicorp_vault.audit")
    request, auth = object_at(fields, "request"), object_at(fields, "auth")
    path, operation = word(request.get("path")), word(request.get("operation"))
    about["provider"] = "vault"
    if operation:
        about["action"] = operation
    about["category"], about["type"] = classify(operation, path, request.get("mount_type"))
    user = _user(fields, auth, path or "")
    if user:
        out["user"] = user
    ident = word(request.get("id"))
    if ident:
        out["http"] = {"request": {"id": ident}}
    if path:
        out["url"] = {"path": f"/v1/{path}"[:1024]}
    agents = object_at(request, "headers").get("user-agent")
    agent = word(agents[0]) if isinstance(agents, list) and agents else None
    if agent:
        out["user_agent"] = {"original": agent}
    error = word(fields.get("error"))
    if error:
        out["error"] = {"message": error}
    source = endpoint(request.get("remote_address"))
    port = integer_at(request, "remote_port")
    if source and port is not None and 0 < port < 65_536:
        source["port"] = port
    related: dict[str, Any] = {}
    if source:
        out["source"] = source
        if "ip" in source:
            related["ip"] = [source["ip"]]
    users = distinct(user.get("name"), user["target"].get("name") if "target" in user else None)
    if users:
        related["user"] = users
    if related:
        out["related"] = related
    vendor: dict[str, Any] = words(fields.get, (("type", "type"), ("error", "error")))
    for key in _PARTS:
        part = fields.get(key)
        if isinstance(part, dict) and part:
            vendor[key] = part
    out["hashicorp_vault"] = {"audit": vendor}
    if event.origin:
        place(out, event.origin)
    return out


def _user(fields: dict[str, Any], auth: dict[str, Any], path: str) -> dict[str, Any]:
    """Who asked; user.target is the account that a path below an auth method names."""
    user: dict[str, Any] = words(auth.get, (("display_name", "name"), ("entity_id", "id")))
    roles = many(auth.get("policies"))
    if roles:
        user["roles"] = roles
    parts = path.split("/")
    if parts[0] == "auth" and len(parts) >= 4 and parts[-2] in _USERS and parts[-1]:
        user["target"] = {"name": parts[-1]}
    elif parts[:2] in (["identity", "entity"], ["identity", "group"]) and len(parts) == 4 and parts[3]:
        user["target"] = {"name" if parts[2] == "name" else "id": parts[3]}
    given = text_at(fields, "response", "auth", "display_name")
    if given and "target" not in user and given != user.get("name"):
        user["target"] = {"name": given[:1024]}
    return user
