"""One decision of ours (`davylamp.audit/1`) as a document of `logs-davylamp.audit-*`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connectors.ecs.document import Ecs
from connectors.ecs.redaction import redact
from connectors.ecs.stream import Document
from connectors.sources.untrusted import integer_at, object_at, text_at
from detectors.finding import parse_rfc3339

_OUTCOMES: Final = {"allowed": "success", "done": "success", "refused": "failure", "failed": "failure"}

_CHANGE: Final = (["configuration"], ["change"])
# What is no change of ours: people come and go.
_KINDS: Final = {
    "session.open": (["session"], ["start"]),
    "session.link": (["session"], ["start"]),
    "session.close": (["session"], ["end"]),
}


class NotAnAuditEntryError(ValueError):
    """The object is no `davylamp.audit/1`; the message names the key."""


def audit_document(entry: Mapping[str, Any], namespace: str, ingested: float) -> Document:
    """Return the document of a decision; its id is the entry's. Raises NotAnAuditEntryError."""
    ident, at = text_at(entry, "id"), text_at(entry, "at")
    actor, action = text_at(entry, "actor"), text_at(entry, "action")
    if ident is None or at is None or actor is None or action is None:
        raise NotAnAuditEntryError("id, at, actor and action are needed")
    try:
        when = parse_rfc3339(at)
    except ValueError as error:
        raise NotAnAuditEntryError("at is not RFC 3339") from error
    outcome = text_at(entry, "outcome")
    category, kind = (["api"], ["denied"]) if outcome == "refused" else _KINDS.get(action, _CHANGE)
    ecs = Ecs(when, "event", "davylamp.audit", "davylamp", ident)
    ecs.put_all(
        (
            ("message", f"{actor} {action} {text_at(entry, 'subject') or ''}: {outcome or 'unknown'}"),
            ("event.category", category),
            ("event.type", kind),
            ("event.action", action),
            ("event.outcome", _OUTCOMES.get(outcome or "", "unknown")),
            ("event.sequence", integer_at(entry, "seq")),
            ("user.name", actor),
            ("observer.vendor", "Davylamp"),
            ("observer.product", "davylamp"),
            ("davylamp.audit.subject", text_at(entry, "subject")),
            ("davylamp.audit.outcome", outcome),
            ("davylamp.audit.detail", object_at(entry, "detail")),
            ("davylamp.audit.hash", text_at(entry, "hash")),
            ("davylamp.audit.previous_hash", text_at(entry, "previous_hash")),
        )
    )
    ecs.related("user", actor)
    return Document.of("audit", ident, redact(ecs.finish()), namespace, ingested)
