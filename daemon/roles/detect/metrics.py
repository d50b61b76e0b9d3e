"""Rules and profiles that failed on an event, as a metric: read from the stage when scraped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector


@dataclass(slots=True, eq=False)
class EvaluationErrorsCollector(Collector):
    """`davylamp_detect_evaluation_errors_total`, by `where`: a rule's id, or a source's part and the fault.

    Labels are bounded by the loaded rules and by the program, never by an event.
    """

    read: Callable[[], Mapping[str, int]]

    def collect(self) -> Iterable[Metric]:
        """Return the counts of this moment."""
        family = CounterMetricFamily(
            "davylamp_detect_evaluation_errors",
            "Events on which a rule or a source's profile failed; the rule is tried on the next event again.",
            labels=["where"],
        )
        for where, count in sorted(self.read().items()):
            family.add_metric([where], count)
        yield family
