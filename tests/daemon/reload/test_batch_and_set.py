"""One batch is judged by one set, also when the set is replaced while the batch breathes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import orjson
from aiokafka.structs import ConsumerRecord, TopicPartition

from connectors.kafka.batch import PartitionBatch
from connectors.kafka.producer import Message
from connectors.sources.catalogue import profile
from daemon.roles.detect.repeated import RepeatedIds
from daemon.roles.detect.stage import DetectStage
from detectors.sigma.document import RuleDocument
from detectors.sigma.engine import Engine
from detectors.sigma.ruleset import RuleSet

TP = TopicPartition("aws.cloudtrail", 0)
EVENTS = 2500
START_MS = 1_780_000_000_000


def engine(text: str) -> Engine:
    return Engine(RuleSet.load([RuleDocument("rule.yml", text)]))


def batch(first: int) -> PartitionBatch:
    records = [record(first + number) for number in range(EVENTS)]
    return PartitionBatch(TP, records, first)


def record(offset: int) -> ConsumerRecord[bytes | None, bytes | None]:
    event = {
        "eventVersion": "1.11",
        "eventID": f"00000000-0000-4000-8000-{offset:012d}",
        "eventTime": "2026-05-28T20:26:40Z",
        "eventSource": "cloudtrail.amazonaws.com",
        "eventName": "StopLogging",
        "awsRegion": "eu-west-1",
        "userIdentity": {"type": "Root", "accountId": "111122223333"},
    }
    value = orjson.dumps(event)
    return ConsumerRecord(TP.topic, TP.partition, offset, START_MS, 1, None, value, None, -1, len(value), ())


async def test_a_batch_in_hand_is_judged_by_the_set_that_it_began_with(new_rule: object) -> None:
    assert callable(new_rule)
    old, new = engine(new_rule(1, "StopLogging")), engine(new_rule(2, "StopLogging"))
    sent: list[str] = []
    swapped_after: list[int] = []

    async def send(messages: Sequence[Message]) -> None:
        sent.extend(
            orjson.loads(message.value or b"")["rule_id"][-1]
            for message in messages
            if message.topic == "davylamp.findings"
        )

    stage = DetectStage(
        source_of={TP.topic: profile("cloudtrail")},
        engine=old,
        send=send,
        repeated=RepeatedIds(0),
        clock=lambda: 0.0,
        max_record_bytes=1 << 20,
    )
    stage.assigned({TP: 0})

    async def swap() -> None:
        await asyncio.sleep(0)
        swapped_after.append(len(sent))
        stage.engine = new

    handling = asyncio.create_task(stage.handle([batch(0)]))
    await asyncio.gather(handling, asyncio.create_task(swap()))
    assert swapped_after == [0], "the swap fell into the batch"
    assert sent == ["1"] * EVENTS
    await stage.handle([batch(EVENTS)])
    assert sent[EVENTS:] == ["2"] * EVENTS
