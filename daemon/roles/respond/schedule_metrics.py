"""What Prometheus sees of routine rotations. Labels are configured names and a closed list of reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

from connectors.store.overdue import Overdue


class ScheduleMetrics:
    """The metrics of routine rotations, on the role's registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.proposed = Counter(
            "davylamp_schedule_proposed",
            "Rotations that a schedule asked for, in time or late",
            ["schedule", "when"],
            registry=registry,
        )
        self.age = Gauge(
            "davylamp_target_age_seconds",
            "Seconds since the last proven rotation of a target; a target never proven has no value",
            ["target"],
            registry=registry,
        )
        self.overdue = Gauge(
            "davylamp_target_overdue",
            "1 for each reason for which a target is overdue",
            ["target", "why"],
            registry=registry,
        )
        self._shown: set[tuple[str, str]] = set()

    def show(self, ages: Mapping[str, float | None], found: Iterable[Overdue]) -> None:
        """Set age and overdue of every target."""
        for key, age_s in ages.items():
            if age_s is not None:
                self.age.labels(key).set(age_s)
        now = {(one.target.key, one.why) for one in found}
        for key, why in now | self._shown:
            self.overdue.labels(key, why).set((key, why) in now)
        self._shown |= now
