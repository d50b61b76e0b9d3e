"""Records into a Kafka topic, each confirmed by the broker before the caller goes on, and back out of it."""

# pyright: reportPrivateImportUsage=false
from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

_CONFIRM_S: Final = 20.0
_READ_S: Final = 60.0


class NotConfirmedError(Exception):
    """The broker did not confirm a record; the text says which topic and why."""


class ConfirmedTopic:
    """One raw topic. Calls block until the broker has the records; any thread may call."""

    def __init__(self, brokers: str, topic: str, confirm_s: float = _CONFIRM_S) -> None:
        """Connect lazily to `brokers` (HOST:PORT,...); a record has `confirm_s` seconds to be confirmed."""
        self.topic = topic
        self._wait_s = confirm_s + 5.0
        self.confirmed = 0
        self._producer = Producer(
            {
                "bootstrap.servers": brokers,
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 2,
                "message.timeout.ms": int(confirm_s * 1000),
                "message.max.bytes": 16 * 1024 * 1024,
                "log_level": 0,
            }
        )

    def __call__(self, record: bytes) -> None:
        """Send one record. Raises NotConfirmedError."""
        self.send([record])

    def send(self, records: Sequence[bytes]) -> None:
        """Send records in order. Raises NotConfirmedError when one of them was not taken."""
        problems: list[str] = []

        def delivered(error: Any, _message: Any) -> None:
            if error is not None:
                problems.append(str(error))

        try:
            for record in records:
                self._producer.produce(self.topic, value=record, on_delivery=delivered)
        except (KafkaException, BufferError) as error:
            problems.append(type(error).__name__)
        unsent = self._producer.flush(self._wait_s)
        if problems or unsent:
            reason = problems[0] if problems else f"{unsent} records without an answer"
            raise NotConfirmedError(f"{self.topic}: {reason}")
        self.confirmed += len(records)


def new_topic(brokers: str, name: str, partitions: int) -> str:
    """Make a topic whose name begins with `name`; return it."""
    topic = f"{name}.{secrets.token_hex(4)}"
    admin = AdminClient({"bootstrap.servers": brokers})
    admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(_CONFIRM_S)
    return topic


def records_of(brokers: str, topic: str, partitions: int) -> list[bytes]:
    """Return all records up to the present ends, a partition after the other. Raises TimeoutError."""
    consumer = Consumer(
        {"bootstrap.servers": brokers, "group.id": "stack-reader", "enable.auto.commit": False}
    )
    try:
        places = [TopicPartition(topic, number, 0) for number in range(partitions)]
        ends = [consumer.get_watermark_offsets(place, timeout=_CONFIRM_S)[1] for place in places]
        consumer.assign(places)
        found: list[list[bytes]] = [[] for _ in places]
        give_up = time.monotonic() + _READ_S
        while any(len(read) < end for read, end in zip(found, ends, strict=True)):
            if time.monotonic() > give_up:
                raise TimeoutError(f"{topic}: {sum(map(len, found))} of {sum(ends)} records")
            for message in consumer.consume(1000, timeout=0.2):
                value, number = message.value(), message.partition()
                if message.error() is None and value is not None and number is not None:
                    found[number].append(value)
        return [value for read in found for value in read]
    finally:
        consumer.close()
