"""Who sends which canary, and which of them are lost: judged with a consumer in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest
from aiokafka.structs import TopicPartition
from prometheus_client import CollectorRegistry

from config.canary import Canary
from config.errors import ConfigurationError
from config.settings import Settings
from connectors.kafka.checkpoint import Checkpoint
from connectors.kafka.producer import Message
from connectors.kafka.reading import Place
from daemon.roles.detect.canaries import canary_sender
from daemon.roles.detect.canary_key import OLD_KEY_S, CanaryKey
from daemon.roles.detect.canary_sending import CanarySender
from detectors.canary.finding import LOST_RULE
from detectors.canary.proof import DUE, HEADER, judge

START = 1_795_000_800.0  # a slot of 300 s; its turn is partition 0 of 4
TOPIC = "aws.cloudtrail"
FIRST = TopicPartition(TOPIC, 0)


class Consumer:
    """What the sender asks of a `Reading`."""

    def __init__(self) -> None:
        self.places: dict[TopicPartition, Place] = {}
        self.answered: dict[TopicPartition, float] = {}
        self.idle = True

    def own(self, tp: TopicPartition, at: float, offset: int = 0, **counters: int) -> None:
        self.places[tp] = Place(Checkpoint(offset, dict(counters)), offset)
        self.answered[tp] = at

    def caught_up(self, tp: TopicPartition) -> bool:
        return self.idle

    def seen_at(self, tp: TopicPartition) -> float | None:
        return self.answered.get(tp)

    def partition_count(self, topic: str) -> int:
        return 4 if topic == TOPIC else 0


class Producer:
    """Keeps what is sent; `offset` is what the brokers confirm."""

    def __init__(self) -> None:
        self.offset: int | None = 10
        self.canaries: list[Message] = []
        self.findings: list[dict[str, object]] = []

    async def send_placed(self, message: Message, timeout_s: float) -> int | None:
        self.canaries.append(message)
        return self.offset

    async def send_all(self, messages: Sequence[Message]) -> None:
        self.findings += [orjson.loads(message.value) for message in messages]


class Scene:
    def __init__(self, **canary: object) -> None:
        self.now = START - 10
        self.consumer, self.producer, self.registry = Consumer(), Producer(), CollectorRegistry()
        settings = Settings.model_validate({"canary": {"key": {"value": "k" * 32}, **canary}})
        sender = canary_sender(
            settings,
            settings.kafka.topics.kinds(),
            self.consumer,  # type: ignore[arg-type]
            self.producer,  # type: ignore[arg-type]
            lambda: self.now,
            self.registry,
        )
        assert sender is not None
        self.sender: CanarySender = sender

    async def look(self, at: float) -> None:
        self.now = at
        await self.sender.look()
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def test_the_owner_sends_each_slot_once_and_its_proof_holds():
    scene = Scene()
    scene.consumer.own(FIRST, START - 10)
    for at in (START - 10, START - 0.1, START, START + 1, START + 299):
        await scene.look(at)
    (message,) = scene.producer.canaries
    assert (message.topic, message.partition) == FIRST
    (proof,) = (value for name, value in message.headers if name == HEADER)
    told = judge(
        (b"k" * 32,), [proof], ("cloudtrail", TOPIC, 0), message.value, appended=START, newest=0, grace_s=1
    )
    assert told.refusal is None and told.due == START


async def test_a_partition_of_another_worker_is_left_to_it():
    scene = Scene()
    scene.consumer.own(TopicPartition(TOPIC, 1), START - 10)
    await scene.look(START - 1)
    await scene.look(START + 1)
    assert scene.producer.canaries == []
    await scene.look(START + 301)
    assert [message.partition for message in scene.producer.canaries] == [1]


@pytest.mark.parametrize(
    ("idle", "newest", "after_s", "sends"),
    [(True, 0, 5, 1), (False, 0, 5, 0), (True, int(START), 5, 0), (True, 0, 61, 0)],
)
async def test_who_takes_over_after_the_slot_sends_only_what_nobody_sent(idle, newest, after_s, sends):
    scene = Scene()
    scene.consumer.own(FIRST, START + after_s, **{DUE: newest})
    scene.consumer.idle = idle
    await scene.look(START + after_s)
    assert len(scene.producer.canaries) == sends


async def test_what_was_accepted_is_not_lost():
    scene = Scene()
    scene.consumer.own(FIRST, START - 10)
    await scene.look(START - 1)
    await scene.look(START)
    scene.consumer.own(FIRST, START + 1, 11, **{DUE: int(START)})
    await scene.look(START + 200)
    assert scene.producer.findings == []


async def test_what_was_read_and_not_accepted_is_lost_once():
    scene = Scene()
    scene.consumer.own(FIRST, START - 10)
    await scene.look(START - 1)
    await scene.look(START)
    scene.consumer.own(FIRST, START + 1, 10)
    await scene.look(START + 1)
    assert scene.producer.findings == [], "its offset is not read yet"
    scene.sender.gate.refused[FIRST] = (10, "not_due")
    scene.consumer.own(FIRST, START + 2, 11)
    for at in (START + 2, START + 3):
        await scene.look(at)
    (finding,) = scene.producer.findings
    assert finding["rule_id"] == LOST_RULE and "refused: not_due" in str(finding["explain"])
    assert scene.registry.get_sample_value("davylamp_canary_lost_total", {"source": "cloudtrail"}) == 1


async def test_what_no_broker_confirmed_is_lost_when_it_reads_again_after_the_grace():
    scene = Scene()
    scene.producer.offset = None
    scene.consumer.own(FIRST, START - 10)
    await scene.look(START - 1)
    await scene.look(START)
    await scene.look(START + 200)
    assert scene.producer.findings == [], "the brokers are away: nothing is known of the source"
    scene.consumer.own(FIRST, START + 201)
    await scene.look(START + 201)
    assert "could not be written" in str(scene.producer.findings[0]["explain"])


async def test_a_canary_whose_partition_moved_is_not_judged():
    scene = Scene()
    scene.consumer.own(FIRST, START - 10)
    await scene.look(START - 1)
    await scene.look(START)
    scene.consumer.answered.clear()
    await scene.look(START + 1)
    scene.consumer.own(FIRST, START + 100, 50)
    await scene.look(START + 100)
    assert scene.producer.findings == []


@pytest.mark.parametrize("key", ["", "short"])
def test_a_key_that_can_be_guessed_is_refused_without_being_told(key):
    with pytest.raises(ConfigurationError, match=r"canary\.key") as caught:
        Scene(key={"value": key})
    assert not key or key not in str(caught.value)


def test_canaries_need_the_shipped_rules():
    settings = Settings.model_validate(
        {"canary": {"key": {"value": "k" * 32}}, "detection": {"builtin_rules": False}}
    )
    with pytest.raises(ConfigurationError, match="builtin_rules"):
        canary_sender(settings, {}, Consumer(), Producer(), lambda: 0.0, CollectorRegistry())  # type: ignore[arg-type]


def test_without_a_key_there_are_none():
    assert not Settings().canary.on and Settings().canary.without_key().period_s == 0
    with_key = Canary.model_validate({"key": {"value": "k" * 32}})
    assert with_key.on and with_key.without_key().period_s == 300 and not with_key.without_key().on


def test_a_new_key_is_used_at_once_and_the_old_one_for_an_hour(tmp_path: Path):
    file, now = tmp_path / "key", [0.0]
    file.write_text("a" * 16)
    keys = CanaryKey(Canary.model_validate({"key": {"file": str(file)}}), lambda: now[0])
    assert keys.keys() == (b"a" * 16,)
    file.write_text("b" * 16)
    assert keys.keys() == (b"b" * 16, b"a" * 16)
    file.write_text("short")
    assert keys.keys() == (b"b" * 16, b"a" * 16), "a key that is refused changes nothing"
    file.write_text("b" * 16)
    now[0] = OLD_KEY_S + 1
    assert keys.keys() == (b"b" * 16,)
