"""Hits of exceptions as a metric: read when scraped, bounded by the names in the operator's files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector


@dataclass(slots=True, eq=False)
class HitsCollector(Collector):
    """`davylamp_ROLE_exception_hits_total`, by `exception`, since this worker began."""

    role: str
    read: Callable[[], Mapping[str, int]]

    def collect(self) -> Iterable[Metric]:
        """Return the counts of this moment."""
        name = f"davylamp_{self.role}_exception_hits"
        family = CounterMetricFamily(name, "Findings that an exception held back.", labels=["exception"])
        for exception, count in sorted(self.read().items()):
            family.add_metric([exception], count)
        yield family
