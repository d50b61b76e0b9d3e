"""What the worker tells, as health, metrics and log lines."""

from __future__ import annotations

import structlog

from daemon.roles.respond.metrics import RespondMetrics
from daemon.runtime import Health
from playbooks.action import ActionState


class RoleTelemetry:
    """Implements `worker.Telemetry` for the role's process."""

    def __init__(self, health: Health, metrics: RespondMetrics) -> None:
        self._health = health
        self._metrics = metrics
        self._log = structlog.get_logger("davylamp.respond")

    def dependency(self, name: str, up: bool, detail: str) -> None:
        """Report an outside system; the database of a target is only a dependency once it was missed."""
        if not up or name in self._health.dependencies:
            self._health.report(name, up, detail)

    def finished(self, verb: str, outcome: ActionState, mode: str) -> None:
        """Count an action that ended."""
        self._metrics.actions.labels(verb, outcome, mode).inc()
        self._log.info("action ended", verb=verb, outcome=outcome, mode=mode)

    def late_call(self) -> None:
        """Count a call without a lease."""
        self._metrics.late_calls.inc()
        self._log.error("a call without a lease")
