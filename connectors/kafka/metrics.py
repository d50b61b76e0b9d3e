"""Conservation as metrics: read from the checkpoints when scraped, so a restart does not turn them back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from aiokafka.structs import TopicPartition
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from connectors.kafka.conservation import LOST, Counters


@dataclass(frozen=True, slots=True)
class Standing:
    """What the metrics say about one owned partition: whose, what is counted, how many records wait."""

    source: str
    counters: Mapping[str, int]
    lag: int


@dataclass(slots=True)
class ConservationCollector(Collector):
    """`davylamp_ROLE_records_total`, `_events_total`, `_items_total`, losses and lag of owned partitions.

    Labels are bounded: sources, outcomes and reasons are closed lists, topics come from configuration.
    """

    role: str
    target: str
    read: Callable[[], Mapping[TopicPartition, Standing]]

    def collect(self) -> Iterable[Metric]:
        """Return the metrics of this moment."""
        standings = self.read()
        yield from self._outcomes(standings)
        lost = CounterMetricFamily(
            "davylamp_lost_before_read",
            "Records that were gone before they could be read",
            labels=["role", "target", "topic", "partition"],
        )
        lag = GaugeMetricFamily(
            "davylamp_lag_records",
            "Records that are not committed yet",
            labels=["role", "target", "topic", "partition"],
        )
        for tp, standing in standings.items():
            labels = [self.role, self.target, tp.topic, str(tp.partition)]
            lost.add_metric(labels, standing.counters.get(LOST, 0))
            lag.add_metric(labels, standing.lag)
        yield lost
        yield lag

    def _outcomes(self, standings: Mapping[TopicPartition, Standing]) -> Iterable[Metric]:
        families: dict[str, CounterMetricFamily] = {}
        for (unit, source, outcome, reason), count in sorted(_sums(standings).items()):
            name = f"davylamp_{self.role}_{unit}"
            if name not in families:
                families[name] = CounterMetricFamily(
                    name, f"{unit} by outcome", labels=["target", "source", "outcome", "reason"]
                )
            families[name].add_metric([self.target, source, outcome, reason], count)
        yield from families.values()


def _sums(standings: Mapping[TopicPartition, Standing]) -> dict[tuple[str, str, str, str], int]:
    sums: dict[tuple[str, str, str, str], int] = {}
    for standing in standings.values():
        for name, count in standing.counters.items():
            unit, _, outcome = name.partition(":")
            if not outcome:
                continue
            outcome, _, reason = outcome.partition(":")
            key = (unit, standing.source, outcome, reason)
            sums[key] = sums.get(key, 0) + count
    return sums


def by_source(standings: Mapping[TopicPartition, Standing]) -> dict[str, Counters]:
    """Return the counters of all partitions summed by source, without the losses."""
    out: dict[str, Counters] = {}
    for standing in standings.values():
        counters = out.setdefault(standing.source, {})
        for name, count in standing.counters.items():
            if name != LOST:
                counters[name] = counters.get(name, 0) + count
    return out


def losses(standings: Mapping[TopicPartition, Standing]) -> dict[str, int]:
    """Return the losses by `topic/partition`; partitions without a loss are left out."""
    return {
        f"{tp.topic}/{tp.partition}": standing.counters[LOST]
        for tp, standing in standings.items()
        if standing.counters.get(LOST)
    }
