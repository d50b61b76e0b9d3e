"""Names of Vault's audit fields in ECS, as our own documents give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from connectors.sources.field_names import FieldNames, ip, outcome
from connectors.sources.untrusted import text_at
from connectors.sources.vault_outcome import outcome_of
from detectors.event import Fields
from detectors.sigma.path import MISSING, Derived, Found

_TABLE: Final[Mapping[str, str]] = {
    "@timestamp": "time",
    "error.message": "error",
    "event.action": "request.operation",
    "http.request.id": "request.id",
    "source.address": "request.remote_address",
    "source.port": "request.remote_port",
    "user.id": "auth.entity_id",
    "user.name": "auth.display_name",
    "user.roles": "auth.policies",
    "user_agent.original": "request.headers.user-agent",
}


def field_names() -> FieldNames:
    """Return the aliases of audit entries; `hashicorp_vault.audit.NAME` is the record's own NAME."""
    derived: dict[str, str] = {
        "event.outcome": outcome(outcome_of),
        "source.ip": ip("request.remote_address"),
        "url.path": Derived("request.path", "url", _url_path),
    }
    return FieldNames({**_TABLE, **derived}, {"hashicorp_vault.audit.": ""})


def _url_path(fields: Fields) -> Found:
    path = text_at(fields, "request", "path")
    return f"/v1/{path}" if path else MISSING
