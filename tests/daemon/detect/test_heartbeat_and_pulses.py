"""A heartbeat says that a time is over only behind the pulses of that time."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from aiokafka.structs import TopicPartition

from connectors.kafka.checkpoint import Checkpoint
from connectors.kafka.producer import Message
from connectors.kafka.reading import Place
from daemon.roles.detect.heartbeat import Heartbeat
from daemon.roles.detect.pulse import PartitionPulse
from daemon.roles.detect.stage import Seen

TP = TopicPartition("vault.audit", 0)
AT = 420_000 * 3600.0


class Broker:
    """Where the producer writes; `away` makes it confirm nothing."""

    def __init__(self) -> None:
        self.away = False
        self.written: list[dict[str, Any]] = []

    async def send_once(self, messages: Sequence[Message]) -> bool:
        if not self.away:
            self.written += [orjson.loads(message.value) for message in messages]
        return not self.away

    async def partitions(self, _topic: str) -> int:
        return 1

    def kinds(self) -> list[str]:
        said = [document["kind"] for document in self.written]
        self.written.clear()
        return said


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def place() -> Place:
    return Place(Checkpoint(1, {}), 1)


@pytest.fixture
def heartbeat(broker: Broker, place: Place) -> Heartbeat:
    pulse = PartitionPulse(TP, "vault_audit")
    pulse.begin(0, int(AT * 1000))
    pulse.count(1)
    stage = SimpleNamespace(seen={TP: Seen(AT, AT)}, pulses={TP: pulse})
    consumer = SimpleNamespace(
        places={TP: place},
        caught_up=lambda _tp: True,
        seen_at=lambda _tp: AT + 700,
        partition_count=lambda _topic: 1,
    )
    made: Any = Heartbeat
    return made("w", {"vault.audit": "vault_audit"}, consumer, stage, broker)


async def test_the_pulse_of_a_time_that_is_over_is_written_first_and_once(
    heartbeat: Heartbeat, broker: Broker
) -> None:
    await heartbeat.beat()
    assert broker.kinds() == ["pulse", "heartbeat", "heartbeat"]
    await heartbeat.beat()
    assert broker.kinds() == ["heartbeat", "heartbeat"]


async def test_without_its_pulse_nothing_is_said_and_the_pulse_is_tried_again(
    heartbeat: Heartbeat, broker: Broker
) -> None:
    broker.away = True
    await heartbeat.beat()
    broker.away = False
    assert broker.kinds() == []
    await heartbeat.beat()
    assert broker.kinds() == ["pulse", "heartbeat", "heartbeat"]


async def test_while_a_block_is_read_again_no_time_is_said(
    heartbeat: Heartbeat, broker: Broker, place: Place
) -> None:
    place.position = 0
    await heartbeat.beat()
    report = broker.written[0]["partitions"]["vault.audit/0"]
    assert report["append_time"] is None and report["idle"] is False
    place.position = 1
    broker.written.clear()
    await heartbeat.beat()
    assert broker.written[0]["kind"] == "pulse"
    assert broker.written[1]["partitions"]["vault.audit/0"]["append_time"] == AT + 700
