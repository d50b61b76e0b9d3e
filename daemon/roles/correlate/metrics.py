"""What correlate counts: `davylamp_correlate_*`, labels only from closed lists or from configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

_MINUS_INFINITY: Final = float("-inf")


class Metrics:
    """One object a process; also the source of `status()`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(noun: str, text: str, *labels: str) -> Counter:
            return Counter(f"davylamp_correlate_{noun}", text, labels, registry=registry)

        self.matches = counter("matches_total", "Matches read.")
        self.flows = counter("flows_total", "Flow records taken into a baseline.", "model")
        self.heartbeats = counter("heartbeats_total", "Heartbeats of detect workers read.")
        self.repeated = counter("repeated_total", "Matches whose id the open window held already.")
        self.settled = counter(
            "settled_total",
            "Matches at or before what their group has settled, or older than lateness and a span: not used.",
        )
        self.future = counter(
            "future_total", "Events more than 5 minutes ahead of their append time.", "source"
        )
        self.overflow = counter("overflow_total", "Matches, peers or groups over a cap, not used.", "of")
        self.stale = counter(
            "stale_total", "States dropped because their correlation changed or was taken out.", "why"
        )
        self.silent = counter("silent_total", "Flow records that a baseline took in silence.", "why")
        self.findings = counter("findings_total", "Findings confirmed.", "status")
        self.rejected = counter(
            "rejected_total", "Records of internal topics that could not be read.", "reason"
        )
        self.skipped = counter("skipped_total", "Records left to a partition's next owner, not acknowledged.")
        self.read_again = counter(
            "read_again_total", "Records that came again to the worker that had taken them: not used again."
        )
        self.lost = counter(
            "lost_before_read_total",
            "Records that Kafka deleted before they were read.",
            "topic",
            "partition",
        )
        self.errors = counter("evaluation_errors_total", "Batches that failed; each ends the process.")
        self.acknowledged = counter("acknowledged_total", "Records acknowledged.", "topic")
        self.open_groups = Gauge(
            "davylamp_correlate_groups", "Groups with state.", ["table"], registry=registry
        )
        self.lag = Gauge(
            "davylamp_correlate_watermark_lag_seconds",
            "Clock minus watermark; +Inf until every partition of the source has been reported.",
            ["source"],
            registry=registry,
        )

    def report_overflow(self, of: str, name: str, count: int) -> None:
        """Count and log what a full state turned away; `name` is a rule or model, never an event's value."""
        self.overflow.labels(of).inc(count)
        structlog.get_logger("davylamp.correlate").warning(
            "state is full", of=of, name=name, turned_away=count
        )

    def report_stale(self, why: str, name: str, count: int) -> None:
        """Count and log states that were dropped unread; `name` is a rule."""
        self.stale.labels(why).inc(count)
        structlog.get_logger("davylamp.correlate").warning("states dropped", why=why, name=name, states=count)

    def watermark(self, source: str, at: float, clock: Callable[[], float]) -> None:
        """Show the watermark of a source kind; `at` and `clock` in seconds since the epoch."""
        self.lag.labels(source).set(float("inf") if at == _MINUS_INFINITY else clock() - at)

    def counts(self) -> dict[str, object]:
        """Return every counter as plain JSON: name -> number, or name -> {label: number}."""
        shown: dict[str, object] = {}
        for name, metric in vars(self).items():
            if not isinstance(metric, Counter):
                continue
            samples = [s for m in metric.collect() for s in m.samples if s.name.endswith("_total")]
            labelled: Mapping[str, int] = {",".join(s.labels.values()): int(s.value) for s in samples}
            shown[name] = labelled.get("", 0) if not labelled or "" in labelled else dict(labelled)
        return shown
