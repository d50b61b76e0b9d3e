"""Asking and filling a broker in tests, synchronously, with a client that is not the product's."""

# pyright: reportPrivateImportUsage=false
from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

import confluent_kafka
import orjson
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic
from kafka.records import Record
from kafka.waiting import until

from connectors.kafka.committed import committed_offsets

_ANSWER_S: Final = 15.0
_READ_S: Final = 60.0

Login = Mapping[str, Any]
KeyedRecord = tuple[str, int, bytes, bytes]


class Cluster:
    """A broker as the tests see it. `login` are further client options."""

    def __init__(self, brokers: str, login: Login | None = None) -> None:
        self._brokers = brokers
        self._options: dict[str, Any] = {"bootstrap.servers": brokers, "log_level": 0, **(login or {})}
        self._admin = AdminClient(self._options)

    def topics(self) -> dict[str, int]:
        """Return topic -> partitions of all but Kafka's own."""
        found = self._admin.list_topics(timeout=_ANSWER_S).topics
        return {name: len(topic.partitions) for name, topic in found.items() if not name.startswith("__")}

    def create(self, topic: str, partitions: int, settings: Mapping[str, str]) -> None:
        """Make a topic, and wait until the broker shows it."""
        wanted = NewTopic(topic, partitions, 1, config=dict(settings))
        for future in self._admin.create_topics([wanted]).values():
            future.result(_ANSWER_S)
        until(lambda: topic in self.topics(), self.topics, _ANSWER_S)

    def alter(self, topic: str, settings: Mapping[str, str]) -> None:
        """Change settings of a topic."""
        changes = [
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
            for name, value in settings.items()
        ]
        wanted = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=changes)
        for future in self._admin.incremental_alter_configs([wanted]).values():
            future.result(_ANSWER_S)

    def settings(self, topics: Iterable[str]) -> dict[str, dict[str, str]]:
        """Return the settings of topics."""
        asked = [ConfigResource(ConfigResource.Type.TOPIC, topic) for topic in topics]
        answers = self._admin.describe_configs(asked)
        return {
            resource.name: {name: entry.value for name, entry in future.result(_ANSWER_S).items()}
            for resource, future in answers.items()
        }

    def wipe(self) -> None:
        """Delete every topic, and with them what groups have committed; wait until they are gone."""
        names = list(self.topics())
        if names:
            for future in self._admin.delete_topics(names).values():
                future.result(_ANSWER_S)
        until(lambda: not self.topics(), self.topics, _ANSWER_S)

    def fill(self, records: Iterable[Record | KeyedRecord], *, timestamp_ms: int = 0, **options: Any) -> None:
        """Write (topic, partition, [key,] value); returns when all are confirmed.

        Idempotent, so that offsets are in the order of the records: without, a batch that is sent again lands
        behind the next one (measured: 1 of 12 fillings of topics that were made a moment ago).
        `timestamp_ms` is the producer's own time (0: now). `options` are the client's.
        """
        producer = Producer({**self._options, "enable.idempotence": True, "linger.ms": 5, **options})
        refused: list[str] = []

        def told(error: object, _message: object) -> None:
            if error is not None:
                refused.append(str(error))

        for topic, partition, *key, value in records:
            producer.produce(
                topic, value, *key, partition=partition, timestamp=timestamp_ms, on_delivery=told
            )
            producer.poll(0)
        left = producer.flush(60)
        assert not left and not refused, (left, refused[:3])

    def transaction(self, records: Iterable[Record], *, commit: bool) -> None:
        """Write records in one transaction, then commit or abort it."""
        producer = Producer({**self._options, "transactional.id": "davylamp-test"})
        producer.init_transactions(_ANSWER_S)
        producer.begin_transaction()
        for topic, partition, value in records:
            producer.produce(topic, value, partition=partition)
        producer.flush(_ANSWER_S)
        if commit:
            producer.commit_transaction(_ANSWER_S)
        else:
            producer.abort_transaction(_ANSWER_S)

    def everything(self, topic: str) -> list[Message]:
        """Return all records of a topic, in order of partition and offset; read until every end is seen."""
        consumer = self._reader()
        try:
            partitions = self.topics().get(topic, 0)
            consumer.assign([confluent_kafka.TopicPartition(topic, n, 0) for n in range(partitions)])
            found: list[Message] = []
            ended: set[int | None] = set()
            give_up = time.monotonic() + _READ_S
            while len(ended) < partitions:
                assert time.monotonic() < give_up, (
                    f"{topic}: {len(ended)} of {partitions} ends after {_READ_S} s"
                )
                for message in consumer.consume(2000, timeout=0.2):
                    error = message.error()
                    if error is None:
                        found.append(message)
                    elif error.code() == confluent_kafka.KafkaError._PARTITION_EOF:
                        ended.add(message.partition())
            return sorted(found, key=lambda message: (message.partition() or 0, message.offset() or 0))
        finally:
            consumer.close()

    def documents(self, topic: str) -> list[dict[str, Any]]:
        """Return the JSON objects of a topic."""
        return [orjson.loads(message.value() or b"{}") for message in self.everything(topic)]

    def committed(self, group: str) -> dict[TopicPartition, OffsetAndMetadata]:
        """Return what a group has committed; nothing while the coordinator is not there yet.

        Asked with aiokafka: confluent-kafka reads metadata beyond its end (UnicodeDecodeError, measured).
        """
        asked = [TopicPartition(topic, n) for topic, count in self.topics().items() for n in range(count)]
        try:
            answer = asyncio.run(committed_offsets({"bootstrap_servers": self._brokers}, group, asked))
        except KafkaError:
            return {}
        return {place: found for place, found in answer.items() if found is not None}

    def forget(self, group: str) -> None:
        """Delete a group with its commits, once its last member has left."""
        give_up = time.monotonic() + _ANSWER_S
        while True:
            try:
                self._admin.delete_consumer_groups([group])[group].result(_ANSWER_S)
            except KafkaException:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.2)
            else:
                return

    def set_offsets(self, group: str, topic: str) -> None:
        """Set a group's offsets of a topic to its ends, as Kafka's own tools do, once its members left."""
        places = [confluent_kafka.TopicPartition(topic, n, end) for n, (_, end) in self.ends(topic).items()]
        give_up = time.monotonic() + _ANSWER_S
        while True:
            asked = [ConsumerGroupTopicPartitions(group, places)]
            try:
                self._admin.alter_consumer_group_offsets(asked)[group].result(_ANSWER_S)
            except KafkaException:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.2)
            else:
                return

    def delete(self, topic: str) -> None:
        """Delete a topic; wait until it is gone."""
        self._admin.delete_topics([topic])[topic].result(_ANSWER_S)
        until(lambda: topic not in self.topics(), self.topics, _ANSWER_S)

    def groups(self) -> set[str]:
        """Return the names of the consumer groups that the broker knows."""
        return {group.group_id for group in self._admin.list_consumer_groups().result(_ANSWER_S).valid}

    def ends(self, topic: str) -> dict[int, tuple[int, int]]:
        """Return partition -> (first offset, end offset)."""
        consumer = self._reader()
        try:
            places = [confluent_kafka.TopicPartition(topic, n) for n in range(self.topics().get(topic, 0))]
            return {p.partition: consumer.get_watermark_offsets(p, timeout=_ANSWER_S) for p in places}
        finally:
            consumer.close()

    def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """Delete the records below `offset`, as retention does."""
        asked = self._admin.delete_records([confluent_kafka.TopicPartition(topic, partition, offset)])
        for future in asked.values():
            future.result(_ANSWER_S)

    def _reader(self) -> Consumer:
        return Consumer(
            {**self._options, "group.id": "davylamp-test-reader", "enable.auto.commit": False}
            | {
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
            }
        )
