"""A finding as an alert of `logs-davylamp.alerts-*`, shaped so that "External Alerts" promotes it.

That prebuilt rule takes `event.kind: alert`, the title from `message`, severity from `event.severity`
(21, 47, 73, 99), the risk from `event.risk_score` and looks back by `event.ingested`.
"""

from __future__ import annotations

from typing import Final

from connectors.ecs.attack import threat
from connectors.ecs.document import Ecs
from connectors.ecs.entities import put_entities
from connectors.ecs.redaction import redact
from connectors.ecs.stream import Document
from detectors.event import Outcome
from detectors.finding import Finding, rfc3339
from detectors.level import Level

SEVERITY: Final[dict[Level, int]] = {"low": 21, "medium": 47, "high": 73, "critical": 99}
_CATEGORY: Final = {
    "cloudtrail": ("iam",),
    "kubernetes_audit": ("configuration",),
    "istio_access": ("network",),
    "vault_audit": ("iam",),
}


def alert_document(
    finding: Finding, namespace: str, ingested: float, outcome: Outcome = "unknown"
) -> Document | None:
    """Return the alert, or None: an informational finding is none.

    The id is finding id and status, so that a provisional and its final are two documents.
    """
    severity = SEVERITY.get(finding.level)
    if severity is None:
        return None
    ident = f"{finding.finding_id}/{finding.status}"
    ecs = Ecs(finding.event_time, "alert", "davylamp.alerts", "davylamp", ident)
    ecs.put_all(
        (
            ("message", finding.title),
            ("tags", ["davylamp", finding.source, finding.status]),
            ("event.category", ["intrusion_detection", *_CATEGORY.get(finding.source, ())]),
            ("event.type", ["info"]),
            ("event.action", finding.rule_id),
            ("event.outcome", outcome),
            ("event.severity", severity),
            ("event.risk_score", float(severity)),
            ("event.created", rfc3339(finding.event_time)),
            ("event.start", rfc3339(finding.first_time)),
            ("event.end", rfc3339(finding.last_time)),
            ("event.reason", finding.explain),
            ("rule.id", finding.rule_id),
            ("rule.name", finding.title),
            ("rule.ruleset", "davylamp"),
            ("threat", threat(finding.attack)),
            ("observer.vendor", "Davylamp"),
            ("observer.product", "davylamp"),
            ("observer.type", "sensor"),
            ("davylamp.finding.id", finding.finding_id),
            ("davylamp.finding.status", finding.status),
            ("davylamp.finding.level", finding.level),
            ("davylamp.finding.base_level", finding.base_level),
            ("davylamp.finding.count", finding.count),
            ("davylamp.finding.source", finding.source),
            ("davylamp.finding.confirms", list(finding.confirms)),
            ("davylamp.evidence", list(finding.event_ids[:500])),
        )
    )
    put_entities(ecs, finding.entities)
    return Document.of("alerts", ident, redact(ecs.finish()), namespace, ingested)
