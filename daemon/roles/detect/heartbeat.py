"""The heartbeat, once a second, to every partition of matches and flows: how far each source is told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

import structlog
from aiokafka.errors import KafkaError

from connectors.kafka.batch_consumer import BatchConsumer
from connectors.kafka.encoding import encode_value
from connectors.kafka.producer import ConfirmedProducer, Message
from connectors.kafka.topics import FLOWS, MATCHES
from daemon.roles.detect.outputs import pulse_message
from daemon.roles.detect.pulse import PartitionPulse, PulseHour
from daemon.roles.detect.stage import DetectStage, Seen
from detectors.event import Fields, Json
from detectors.silence.pulse import Pulse

PERIOD_S: Final = 1.0


@dataclass(slots=True)
class Heartbeat:
    """Writes the heartbeat of ``docs/architecture.md``, after the output that it speaks of was confirmed.

    One that cannot be written now is never written later: "idle" would be said at a time when it is not true.
    """

    worker: str
    kinds: Mapping[str, str]
    consumer: BatchConsumer
    stage: DetectStage
    producer: ConfirmedProducer

    async def run(self) -> None:
        """Beat until cancelled; brokers that are away only make it late."""
        log = structlog.get_logger("davylamp.detect")
        while True:
            await asyncio.sleep(PERIOD_S)
            try:
                await self.beat()
            except KafkaError as error:
                log.info("heartbeat late", error=type(error).__name__)

    def message(self, partition_counts: Mapping[str, int]) -> Fields:
        """Return the heartbeat of this moment.

        A partition whose block is being read again says no time: its open pulse may not have been told.
        """
        partitions: dict[str, Json] = {}
        for tp, place in self.consumer.places.items():
            again = place.position < place.checkpoint.offset
            idle = self.consumer.caught_up(tp) and not again
            seen = self.stage.seen.get(tp, Seen())
            answered = self.consumer.seen_at(tp) or 0.0
            partitions[f"{tp.topic}/{tp.partition}"] = {
                "kind": self.kinds[tp.topic],
                "through_offset": place.checkpoint.offset,
                "max_event_time": seen.max_event_time or None,
                "append_time": None if again else _reached(seen, answered if idle else 0.0),
                "idle": idle,
            }
        return {
            "kind": "heartbeat",
            "worker": self.worker,
            "partition_counts": dict(partition_counts),
            "partitions": partitions,
        }

    async def beat(self) -> None:
        """Write the pulses that are due, then the heartbeat: once, or not at all."""
        counts = {topic: self.consumer.partition_count(topic) for topic in self.kinds}
        message = self.message({topic: count for topic, count in counts.items() if count})
        if not await self._tell_pulses(message):
            return
        value = encode_value(message)
        messages = [
            Message(topic, None, value, partition=partition)
            for topic in (MATCHES, FLOWS)
            for partition in range(await self.producer.partitions(topic))
        ]
        await self.producer.send_once(messages)

    async def _tell_pulses(self, message: Fields) -> bool:
        """Write the pulses of what `message` says is over; without them it must not be said."""
        due: list[tuple[PartitionPulse, Pulse, PulseHour]] = []
        reports = cast("dict[str, Fields]", message["partitions"])
        for tp, pulse in self.stage.pulses.items():
            reached = reports.get(f"{tp.topic}/{tp.partition}", {}).get("append_time")
            if isinstance(reached, float):
                due += [(pulse, said, hour) for said, hour in pulse.due(reached)]
        if not due:
            return True
        if not await self.producer.send_once([pulse_message(said) for _, said, _ in due]):
            return False
        for pulse, said, hour in due:
            pulse.told(said, hour)
        return True


def _reached(seen: Seen, answered: float) -> float | None:
    return max(seen.append_time, answered) or None
