"""Which correlations are evaluated, and which sources each of them listens to."""

from __future__ import annotations

import structlog

from connectors.sources.catalogue import SOURCES
from daemon.roles.correlate.matches import Correlation
from daemon.roles.correlate.stamp import stamp_of
from detectors.sigma.correlation import Correlator
from detectors.sigma.rule import routes
from detectors.sigma.ruleset import RuleSet
from detectors.sigma.streaming import streamed


def correlations(ruleset: RuleSet) -> dict[str, Correlation]:
    """Return the correlations that run on a stream by id; one that does not is logged with its place."""
    told = set(ruleset.refusals)
    ruleset = streamed(ruleset)
    log = structlog.get_logger("davylamp.rules")
    for refusal in ruleset.refusals:
        if refusal not in told:
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
            Correlator(correlation),
            stamp_of(correlation),
        )
        for correlation in ruleset.correlations
    }
