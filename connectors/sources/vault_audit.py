"""HashiCorp Vault and OpenBao audit entries (file device, JSON)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from connectors.ecs.redaction import redact_text
from connectors.ecs.vault_audit import document
from connectors.sources.moment import seconds
from connectors.sources.outline import Outline
from connectors.sources.reject import Reason, Reject
from connectors.sources.source import NOWHERE
from connectors.sources.untrusted import (
    address,
    clean,
    entity,
    names_one_machine,
    object_at,
    text_at,
)
from connectors.sources.vault_field_names import field_names
from connectors.sources.vault_outcome import answered, outcome_of
from connectors.sources.vault_outline import outline
from connectors.sources.vault_path import credential, is_secret_mount, secret, shown
from connectors.sources.vault_token_names import token_names
from detectors.event import Alias, Contact, Entity, Event, Json, Locator, LogSource, Outcome
from detectors.identifier import source_id

_DEVICE_TEST: Final = "sys/audit/test"


class VaultAudit:
    """One audit entry an event; a request gives a `request` and a `response` entry (KMIP: `kmip-...`)."""

    kind: str = "vault_audit"
    logsources: tuple[LogSource, ...] = (LogSource("vault", "audit", None),)
    aliases: Mapping[str, str] = field_names()
    presents: Sequence[tuple[str, ...]] = (
        ("auth", "accessor"),
        ("request", "client_token_accessor"),
        ("request", "client_token"),
    )

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

    def outline(self) -> Outline:
        """Return how an event is read in outline."""
        return outline()

    def event_id(self, event: Event) -> str:
        """Return REQUEST_ID/TYPE, or the locator when there is no request id."""
        text = text_at(event.fields, "request", "id")
        return f"{source_id(text)}/{source_id(str(event.fields['type']))}" if text else str(event.locator)

    def entities(self, event: Event) -> Sequence[Entity]:
        """Return the credential or secret first, else who asked."""
        fields = event.fields
        request = object_at(fields, "request")
        found = _callers(fields, request)
        asked = bool(found)
        ip = address(_text(request, "remote_address"))
        if ip:
            found.append(Entity("address", ip, "source"))
        path = secret(request)
        if not path:
            return found
        target = entity("secret", path, "target")
        owned = credential(fields)
        if owned:
            return [entity("credential", owned, "target"), target, *found]
        return [target, *found] if not asked or is_secret_mount(request) else [*found, target]

    def outcome(self, event: Event) -> Outcome:
        """Return failure on an error or a denial, also one that only the response's data tells."""
        return outcome_of(event.fields)

    def summary(self, event: Event) -> str:
        """Return who did what on which path from where."""
        fields = event.fields
        request = object_at(fields, "request")
        path, where = _text(request, "path"), _text(request, "remote_address")
        if path == _DEVICE_TEST and not where:
            return "vault itself tried whether an audit device can be written"
        auth = object_at(fields, "auth")
        who = _text(auth, "display_name") or _text(auth, "entity_id")
        caller = clean(redact_text(who)) if who else "an unauthenticated caller"
        operation = clean(_text(request, "operation") or "an unnamed operation")
        where = clean(where or "an unknown address")
        ending = " and was refused" if outcome_of(fields) == "failure" else ""
        return f"{caller} did {operation} on {clean(shown(path or 'no path'))} from {where}{ending}"

    def aliases_in(self, event: Event) -> Sequence[Alias]:
        """Return entity and service account, token and AWS caller, address and hash, of answered requests."""
        fields = event.fields
        if not answered(fields) or outcome_of(fields) == "failure":
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
        arn = text_at(auth, "metadata", "client_arn")
        if token and arn and arn.startswith("arn:"):
            caller = entity("iam_principal", arn, "actor")[:2]
            found.append(Alias(entity("vault_token", token, "actor")[:2], caller, event.time))
        ip = address(text_at(fields, "request", "remote_address"))
        if token and ip and names_one_machine(ip):
            found.append(Alias(entity("vault_token", token, "actor")[:2], ("address", ip), event.time))
        names = token_names(token, text_at(auth, "client_token"), event.time)
        return [*found, names] if names else found

    def contacts(self, event: Event) -> Sequence[Contact]:
        """Return who read which database credential, once an answered read."""
        fields = event.fields
        request = fields.get("request")
        if not answered(fields) or not isinstance(request, dict) or request.get("operation") != "read":
            return ()
        owned = credential(fields)
        who = text_at(fields, "auth", "entity_id") if owned else None
        if not owned or not who or outcome_of(fields) == "failure":
            return ()
        reader, peer = entity("vault_entity", who, "actor")[:2], entity("credential", owned, "target")[:2]
        return (Contact("credential_reader", reader, peer, 0),)

    def ecs(self, event: Event) -> dict[str, Any]:
        """Return the ECS document."""
        return document(event)


def _callers(fields: Mapping[str, Any], request: Mapping[str, Any]) -> list[Entity]:
    """The entity and the token's accessor; of a refused token only the request knows an accessor."""
    auth = object_at(fields, "auth")
    found: list[Entity] = []
    who = _text(auth, "entity_id")
    token = _text(auth, "accessor") or _text(request, "client_token_accessor")
    if who:
        found.append(entity("vault_entity", who, "actor"))
    if token:
        found.append(entity("vault_token", token, "actor"))
    return found


def _text(part: Mapping[str, Any], key: str) -> str | None:
    value = part.get(key)
    return value if isinstance(value, str) and value else None
