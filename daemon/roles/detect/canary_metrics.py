"""What detect measures of canaries; labels are source kinds, a closed list."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

DELAY_S: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900)


class CanaryMetrics:
    """Counters of sent and lost canaries, and the delay from append to confirmed finding."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._sent = Counter(
            "davylamp_canary_sent", "Canaries sent", ["source", "outcome"], registry=registry
        )
        self._lost = Counter("davylamp_canary_lost", "Canaries that were lost", ["source"], registry=registry)
        self._delay = Histogram(
            "davylamp_canary_finding_seconds",
            "From the append of a canary to its confirmed finding",
            ["source"],
            buckets=DELAY_S,
            registry=registry,
        )

    def sent(self, source: str, *, confirmed: bool) -> None:
        """Count a canary that was sent."""
        self._sent.labels(source, "confirmed" if confirmed else "unconfirmed").inc()

    def lost(self, source: str) -> None:
        """Count a lost canary."""
        self._lost.labels(source).inc()

    def found(self, source: str, seconds: float) -> None:
        """Take the delay of a canary's finding."""
        self._delay.labels(source).observe(seconds)
