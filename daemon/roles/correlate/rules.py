"""Which correlations are evaluated, and which sources each of them listens to."""

from __future__ import annotations

import structlog

from connectors.sources.catalogue import SOURCES
from daemon.roles.correlate.matches import Correlation
from detectors.sigma.rule import routes
from detectors.sigma.ruleset import RuleSet


def correlations(ruleset: RuleSet) -> dict[str, Correlation]:
    """Return the correlations of a rule set by id; each refusal of the set is logged with its place."""
    log = structlog.get_logger("davylamp.rules")
    for refusal in ruleset.refusals:
        log.error("rule refused", refusal=str(refusal))
    logsources = {rule.id: rule.logsource for rule in ruleset.rules}
    return {
        correlation.id: Correlation(
            correlation,
            frozenset(
                kind
                for kind, profile in SOURCES.items()
                for rule_id in correlation.rules
                if rule_id in logsources and routes(logsources[rule_id], profile)
            ),
        )
        for correlation in ruleset.correlations
    }
