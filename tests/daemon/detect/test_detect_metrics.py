"""What detect's metrics say of rules that failed on an event."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from daemon.roles.detect.metrics import EvaluationErrorsCollector


def test_failed_rules_are_counted_by_rule_as_they_stand_when_scraped() -> None:
    counts: dict[str, int] = {}
    registry = CollectorRegistry()
    registry.register(EvaluationErrorsCollector(lambda: counts))
    assert "errors_total{" not in generate_latest(registry).decode()
    counts |= {"11111111-1111-4111-8111-111111111111": 3, "cloudtrail.contacts: TypeError": 1}
    text = generate_latest(registry).decode()
    rule = 'davylamp_detect_evaluation_errors_total{where="11111111-1111-4111-8111-111111111111"} 3.0'
    assert rule in text
    assert 'davylamp_detect_evaluation_errors_total{where="cloudtrail.contacts: TypeError"} 1.0' in text
