"""HashiCorp Vault and OpenBao audit entries (file device, JSON)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from connectors.ecs.redaction import redact_text
from connectors.ecs.vault_audit import document
from connectors.sources.moment import seconds
from connectors.sources.reject import Reason, Reject
from connectors.sources.source import NOWHERE
from connectors.sources.untrusted import (
    address,
    clean,
    distinct,
    entity,
    names_one_machine,
    object_at,
    text_at,
)
from detectors.event import Alias, Contact, Entity, Event, Json, Locator, LogSource, Outcome
from detectors.identifier import source_id

_CREDENTIALS: Final = ("static-creds/", "creds/")


class VaultAudit:
    """One audit entry an event; a request gives a `request` and a `response` entry."""

    kind: str = "vault_audit"
    logsources: tuple[LogSource, ...] = (LogSource("vault", "audit", None),)
    aliases: Mapping[str, str] = MappingProxyType({})

    def recognise(self, value: Json) -> bool:
        """Return whether `value` has the keys that every entry has."""
        return isinstance(value, dict) and isinstance(value.get("request"), dict) and "type" in value

    def recognise_line(self, line: bytes) -> bool:
        """Vault's JSON device only; its jsonx format is not read."""
        return False

    def parse(self, value: Any, locator: Locator, origin: Mapping[str, str] = NOWHERE) -> Event:
        """Return the event. Raises Reject."""
        if not isinstance(value, dict) or not isinstance(value.get("request"), dict):
            raise Reject(Reason.WRONG_TYPE, "an entry is an object with a request object")
        if not isinstance(value.get("type"), str):
            raise Reject(Reason.WRONG_TYPE, "type is a text")
        return Event(self, seconds(value.get("time"), "time"), value, locator, origin)

    def event_id(self, event: Event) -> str:
        """Return REQUEST_ID/TYPE, or the locator when there is no request id."""
        text = text_at(event.fields, "request", "id")
        return f"{source_id(text)}/{source_id(str(event.fields['type']))}" if text else str(event.locator)

    def entities(self, event: Event) -> Sequence[Entity]:
        """Return the credential or secret first, else who asked."""
        fields = event.fields
        callers = _callers(fields)
        target = _target(fields)
        owned = credential(fields)
        ip = address(text_at(fields, "request", "remote_address"))
        source = [Entity("address", ip, "source")] if ip else []
        if owned:
            return distinct([entity("credential", owned, "target"), *target, *callers, *source])
        if _is_secret_mount(fields) or not callers:
            return distinct([*target, *callers, *source])
        return distinct([*callers, *source, *target])

    def outcome(self, event: Event) -> Outcome:
        """Return failure on an error, also one that only the response's data tells."""
        fields = event.fields
        if fields.get("error"):
            return "failure"
        answered = object_at(fields, "response", "data")
        if answered.get("error") or answered.get("errors"):
            return "failure"
        return "success" if fields["type"] == "response" else "unknown"

    def summary(self, event: Event) -> str:
        """Return who did what on which path from where."""
        fields = event.fields
        who = text_at(fields, "auth", "display_name") or text_at(fields, "auth", "entity_id")
        operation = clean(text_at(fields, "request", "operation") or "an unnamed operation")
        path = clean(redact_text(text_at(fields, "request", "path") or "no path"))
        where = clean(text_at(fields, "request", "remote_address") or "an unknown address")
        ending = " and was refused" if self.outcome(event) == "failure" else ""
        return f"{clean(who or 'an unauthenticated caller')} did {operation} on {path} from {where}{ending}"

    def aliases_in(self, event: Event) -> Sequence[Alias]:
        """Return entity and service account, token and address, of answered requests."""
        fields = event.fields
        if fields["type"] != "response" or fields.get("error"):
            return ()
        found: list[Alias] = []
        auth = object_at(fields, "auth")
        name = text_at(auth, "metadata", "service_account_name")
        namespace = text_at(auth, "metadata", "service_account_namespace")
        who = text_at(auth, "entity_id")
        if who and name and namespace:
            account = entity("service_account", f"{namespace}/{name}", "actor")
            found.append(Alias(entity("vault_entity", who, "actor")[:2], account[:2], event.time))
        token = text_at(auth, "accessor")
        ip = address(text_at(fields, "request", "remote_address"))
        if token and ip and names_one_machine(ip):
            found.append(Alias(entity("vault_token", token, "actor")[:2], ("address", ip), event.time))
        return found

    def contacts(self, event: Event) -> Sequence[Contact]:
        """Return who read which database credential, once an answered read."""
        fields = event.fields
        request = fields.get("request")
        if fields.get("type") != "response" or not isinstance(request, dict):
            return ()
        if request.get("operation") != "read" or self.outcome(event) == "failure":
            return ()
        owned, who = credential(fields), text_at(fields, "auth", "entity_id")
        if not owned or not who:
            return ()
        peer = entity("credential", owned, "target")
        return (Contact("credential_reader", entity("vault_entity", who, "actor")[:2], peer[:2], 0),)

    def ecs(self, event: Event) -> dict[str, Any]:
        """Return the ECS document."""
        return document(event)


def credential(fields: Mapping[str, Any]) -> str | None:
    """Return `ENGINE:MOUNT/ROLE` when the path hands out a credential of a role, else None.

    The engine is `database` unless the entry names another; a vault namespace stands before the mount.
    """
    path = text_at(fields, "request", "path") or ""
    if "creds/" not in path:
        return None
    mount = (text_at(fields, "request", "mount_point") or "").strip("/")
    engine = text_at(fields, "request", "mount_type") or "database"
    if mount and path.startswith(mount + "/"):
        rest = path[len(mount) + 1 :]
    else:
        mount, slash, rest = path.partition("/")
        if not slash:
            return None
    for prefix in _CREDENTIALS:
        role = rest.removeprefix(prefix)
        if role != rest and role and "/" not in role:
            scope = (text_at(fields, "request", "namespace", "path") or "").strip("/")
            return f"{engine}:{scope + '/' if scope else ''}{mount}/{role}"
    return None


def _is_secret_mount(fields: Mapping[str, Any]) -> bool:
    request = object_at(fields, "request")
    path = text_at(request, "path") or ""
    system = text_at(request, "mount_type") in {"system", "identity", "cubbyhole", "token"}
    return not system and not path.startswith(("sys/", "auth/", "identity/"))


def _target(fields: Mapping[str, Any]) -> list[Entity]:
    path = text_at(fields, "request", "path")
    return [entity("secret", redact_text(path), "target")] if path else []


def _callers(fields: Mapping[str, Any]) -> list[Entity]:
    auth = object_at(fields, "auth")
    found: list[Entity] = []
    who, token = text_at(auth, "entity_id"), text_at(auth, "accessor")
    if who:
        found.append(entity("vault_entity", who, "actor"))
    if token:
        found.append(entity("vault_token", token, "actor"))
    return found
