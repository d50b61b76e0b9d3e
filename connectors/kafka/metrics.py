"""Conservation as metrics: read from the checkpoints when scraped, so a restart does not turn them back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

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


Standings: TypeAlias = "Mapping[TopicPartition, Standing]"


@dataclass(slots=True, eq=False)
class ConservationCollector(Collector):
    """`davylamp_ROLE_{records,events,items}_total`, losses and lag of the owned partitions, by target.

    Labels are bounded: sources, outcomes and reasons are closed lists, topics and targets come from
    configuration.
    """

    role: str
    read: Callable[[], Mapping[str, Standings]]

    def collect(self) -> Iterable[Metric]:
        """Return the metrics of this moment."""
        by_target = self.read()
        yield from self._outcomes(by_target)
        labels = ["role", "target", "topic", "partition"]
        lost = CounterMetricFamily(
            "davylamp_lost_before_read", "Records that were gone before they could be read", labels=labels
        )
        lag = GaugeMetricFamily("davylamp_lag_records", "Records that are not committed yet", labels=labels)
        for target, standings in by_target.items():
            for tp, standing in standings.items():
                values = [self.role, target, tp.topic, str(tp.partition)]
                lost.add_metric(values, standing.counters.get(LOST, 0))
                lag.add_metric(values, standing.lag)
        yield lost
        yield lag

    def _outcomes(self, by_target: Mapping[str, Standings]) -> Iterable[Metric]:
        families: dict[str, CounterMetricFamily] = {}
        labels = ["target", "source", "outcome", "reason"]
        for target, standings in by_target.items():
            for (unit, source, outcome, reason), count in sorted(_sums(standings).items()):
                name = f"davylamp_{self.role}_{unit}"
                if name not in families:
                    families[name] = CounterMetricFamily(name, f"{unit} by outcome", labels=labels)
                families[name].add_metric([target, source, outcome, reason], count)
        yield from families.values()


def _sums(standings: Standings) -> dict[tuple[str, str, str, str], int]:
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


def by_source(standings: Standings) -> dict[str, Counters]:
    """Return the counters of all partitions summed by source, without the losses and other single words."""
    out: dict[str, Counters] = {}
    for standing in standings.values():
        counters = out.setdefault(standing.source, {})
        for name, count in standing.counters.items():
            if ":" in name:
                counters[name] = counters.get(name, 0) + count
    return out


def losses(standings: Standings) -> dict[str, int]:
    """Return the losses by `topic/partition`; partitions without a loss are left out."""
    return {
        f"{tp.topic}/{tp.partition}": standing.counters[LOST]
        for tp, standing in standings.items()
        if standing.counters.get(LOST)
    }
