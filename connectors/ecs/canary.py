"""A canary's finding as a document among the alerts, of `event.kind: event`: nothing promotes it."""

from __future__ import annotations

from connectors.ecs.document import Ecs
from connectors.ecs.entities import put_entities
from connectors.ecs.redaction import redact
from connectors.ecs.stream import Document
from detectors.finding import Finding, rfc3339


def canary_document(finding: Finding, namespace: str, ingested: float) -> Document:
    """Return the document; its id is made like an alert's, so it comes once."""
    ident = f"{finding.finding_id}/{finding.status}"
    ecs = Ecs(finding.event_time, "event", "davylamp.alerts", "davylamp", ident)
    ecs.put_all(
        (
            ("message", f"Canary of {finding.source} came through"),
            ("tags", ["davylamp", "davylamp-canary", finding.source]),
            ("event.category", ["process"]),
            ("event.type", ["info"]),
            ("event.action", "canary"),
            ("event.outcome", "success"),
            ("event.created", rfc3339(finding.event_time)),
            ("rule.id", finding.rule_id),
            ("rule.name", finding.title),
            ("rule.ruleset", "davylamp"),
            ("observer.vendor", "Davylamp"),
            ("observer.product", "davylamp"),
            ("observer.type", "sensor"),
            ("davylamp.finding.id", finding.finding_id),
            ("davylamp.finding.status", finding.status),
            ("davylamp.finding.level", finding.level),
            ("davylamp.finding.source", finding.source),
            ("davylamp.evidence", list(finding.event_ids[:500])),
        )
    )
    put_entities(ecs, finding.entities)
    return Document.of("alerts", ident, redact(ecs.finish()), namespace, ingested)
