"""What forward measures of canaries; targets come from configuration, sources are a closed list."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

DELAY_S: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600)
_LABELS: Final = ("target", "source")


class ArrivalMetrics:
    """Delays from the append of a canary to its place in the SIEM."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._acknowledged = Histogram(
            "davylamp_canary_delay_seconds",
            "From the append of a canary to the target's word that it has the finding",
            _LABELS,
            buckets=DELAY_S,
            registry=registry,
        )
        self._searchable = Histogram(
            "davylamp_canary_searchable_seconds",
            "From the append of a canary until a search at the target finds it",
            _LABELS,
            buckets=DELAY_S,
            registry=registry,
        )
        self._unsearched = Counter(
            "davylamp_canary_unsearched", "Canaries that no search found", _LABELS, registry=registry
        )
        self._newest = Gauge(
            "davylamp_canary_newest_timestamp_seconds",
            "The slot of the newest canary that the target has",
            _LABELS,
            registry=registry,
        )

    def acknowledged(self, target: str, source: str, seconds: float) -> None:
        """Take the delay until the target confirmed."""
        self._acknowledged.labels(target, source).observe(seconds)

    def searchable(self, target: str, source: str, seconds: float) -> None:
        """Take the delay until a search found it."""
        self._searchable.labels(target, source).observe(seconds)

    def unsearched(self, target: str, source: str) -> None:
        """Count a canary that was not found by searching."""
        self._unsearched.labels(target, source).inc()

    def reached(self, target: str, source: str, due: float) -> None:
        """Note the slot of the newest canary, in seconds (UTC)."""
        self._newest.labels(target, source).set(due)
