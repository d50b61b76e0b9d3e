"""One target: its group, its two lanes, its standing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from aiokafka.structs import TopicPartition

from config.settings import Settings
from connectors.kafka.batch import Lane
from connectors.kafka.batch_consumer import BatchConsumer
from connectors.kafka.checkpoint_file import store_for
from connectors.kafka.conservation import ITEMS_READ, Counters, forward_violations
from connectors.kafka.metrics import Standing, by_source, losses
from connectors.kafka.producer import ConfirmedProducer, Report
from connectors.siem.target import SiemTarget
from connectors.sources.istio_configured import configured
from daemon.roles.forward.canaries import Arrivals
from daemon.roles.forward.delivery import Delivery
from daemon.roles.forward.item import MAPPERS, InternalReader, RawReader, Reader
from daemon.roles.forward.stage import ForwardStage

_ALERT_RECORDS: Final = 500
_EVENT_RECORDS: Final = 1000
_LEAVE_S: Final = 1.5


def group_of(target: str) -> str:
    """Return the consumer group of a target."""
    return f"davylamp-forward-{target}"


class Forwarder:
    """Reads everything for one target.

    Alerts, incidents and audit have a lane of their own: they never stand behind events when there is
    much to catch up.
    """

    def __init__(
        self,
        settings: Settings,
        target: SiemTarget,
        producer: ConfirmedProducer,
        *,
        stop: asyncio.Event,
        clock: Callable[[], float],
        jitter: Callable[[], float],
        kafka_report: Report,
        target_report: Report,
        assigned: Callable[[], None],
        arrivals: Arrivals | None = None,
    ) -> None:
        self.name = target.name
        self._delivery = Delivery(target, target_report, jitter)
        self._readers = readers_of(settings, clock)
        alerts = ForwardStage(
            self._delivery,
            {t: r for t, r in self._readers.items() if t in MAPPERS},
            producer.send_all,
            arrivals,
        )
        events = ForwardStage(
            self._delivery, {t: r for t, r in self._readers.items() if t not in MAPPERS}, producer.send_all
        )
        self._stages = (alerts, events)
        self.consumer = BatchConsumer(
            kafka=settings.kafka,
            group=group_of(target.name),
            lanes=(
                Lane("alerts", tuple(alerts.readers), alerts, _ALERT_RECORDS),
                Lane("events", tuple(events.readers), events, _EVENT_RECORDS),
            ),
            store=store_for(settings, group_of(target.name)),
            report=kafka_report,
            stop=stop,
            clock=clock,
            assigned=assigned,
            stop_timeout_s=settings.operation.stop_timeout_s * 0.4,
        )

    async def run(self) -> None:
        """Forward until stopped."""
        try:
            await self.consumer.run()
        finally:
            await self._delivery.close(_LEAVE_S)

    def standings(self) -> Mapping[TopicPartition, Standing]:
        """Return what is counted of each owned partition."""
        return {
            tp: Standing(self._readers[tp.topic].source, place.checkpoint.counters, self.consumer.lag(tp))
            for tp, place in self.consumer.places.items()
        }

    def status(self) -> tuple[dict[str, Counters], list[str], dict[str, int]]:
        """Return the counts by source and stream with what is in flight, the broken laws, the losses."""
        standings = self.standings()
        counted = by_source(standings)
        for stage in self._stages:
            for tp, number in stage.in_flight.items():
                counters = counted.setdefault(self._readers[tp.topic].source, {})
                counters["items:in_flight"] = counters.get("items:in_flight", 0) + number
                counters[ITEMS_READ] = counters.get(ITEMS_READ, 0) + number
        violations = [
            f"{self.name} {source}: {broken}"
            for source, counters in counted.items()
            for broken in forward_violations(counters, counters.get("items:in_flight", 0))
        ]
        return counted, violations, losses(standings)


def readers_of(settings: Settings, clock: Callable[[], float]) -> dict[str, Reader]:
    """Return the reader of each topic that is forwarded."""
    namespace = settings.forwarding.namespace
    readers: dict[str, Reader] = {
        topic: InternalReader(name, mapper, namespace, clock) for topic, (name, mapper) in MAPPERS.items()
    }
    for topic, kind in settings.kafka.topics.kinds().items():
        readers[topic] = RawReader(
            configured(kind, settings.istio), namespace, clock, settings.detection.max_record_bytes
        )
    return readers
