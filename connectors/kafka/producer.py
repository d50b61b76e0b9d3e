"""A producer that returns when the brokers have confirmed everything, and waits when they are away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from config.kafka import Kafka
from connectors.kafka.client import producer_options
from connectors.kafka.partitioner import RememberingPartitioner
from connectors.kafka.probe import reason_of
from connectors.kafka.starting import started

Report: TypeAlias = Callable[[bool, str], None]
_SLOW_S: Final = 3.0
_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 5.0


class Message(NamedTuple):
    """One record to write. `partition` None lets the key choose."""

    topic: str
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int | None = None


class ConfirmedProducer:
    """Writes messages with `acks=all`. `report(up, detail)` hears of brokers that do not confirm."""

    def __init__(self, kafka: Kafka, report: Report) -> None:
        self._kafka = kafka
        self._report = report
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._partitioner = RememberingPartitioner()
        self._log = structlog.get_logger("davylamp.kafka.producer")

    async def send_all(self, messages: Sequence[Message]) -> None:
        """Return when every message is confirmed. Never skips one: sends again, with pauses, until cancelled.

        A message may so be written twice; ids are derived, readers merge by id.
        """
        left = list(messages)
        pause = _FIRST_PAUSE_S
        while left:
            left, reason = await self._attempt(left)
            if not left:
                self._report(True, "")
                return
            self._report(False, f"output not confirmed: {reason}")
            self._log.warning("output not confirmed", messages=len(left), reason=reason)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    async def send_once(self, messages: Sequence[Message]) -> bool:
        """Try once to write `messages`; return whether all are confirmed."""
        left, reason = await self._attempt(list(messages))
        self._report(not left, f"output not confirmed: {reason}" if left else "")
        return not left

    async def send_placed(self, message: Message, timeout_s: float) -> int | None:
        """Try once to write `message`; return its offset, None when it is not confirmed in time.

        It may have been written all the same.
        """
        topic, key, value, headers, partition = message
        reason = ""
        try:
            async with asyncio.timeout(timeout_s):
                producer = await self._started()
                sent = await producer.send(topic, value, key, partition, headers=list(headers))
                return (await asyncio.shield(sent)).offset
        except (KafkaError, OSError) as error:
            reason = "no answer" if isinstance(error, TimeoutError) else await self._reason(error, topic)
        self._log.warning("not confirmed", topic=topic, reason=reason)
        return None

    async def partitions(self, topic: str) -> int:
        """Return how many partitions `topic` has. Raises KafkaError (brokers away, topic refused)."""
        try:
            producer = await self._started()
            return len(await producer.partitions_for(topic) or ())
        except KafkaError as error:
            self._report(False, await self._reason(error, topic))
            raise

    async def stop(self, timeout_s: float) -> None:
        """Close the connections within `timeout_s`; what was not confirmed is nobody's duty any more."""
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                await asyncio.wait_for(producer.stop(), timeout_s)
            except (TimeoutError, KafkaError) as error:
                self._log.info("producer stopped unclean", error=type(error).__name__)

    async def _attempt(self, messages: list[Message]) -> tuple[list[Message], str]:
        """Try once; return what was not confirmed and why."""
        waiting: list[tuple[Message, asyncio.Future[object]]] = []
        topic = ""
        try:
            producer = await self._started()
            for message in messages:
                topic, key, value, headers, partition = message
                waiting.append(
                    (message, await producer.send(topic, value, key, partition, headers=list(headers)))
                )
        except (KafkaError, OSError) as error:
            unsent = messages[len(waiting) :]
            failed, _ = await self._confirmed(waiting)
            return failed + unsent, await self._reason(error, topic)
        return await self._confirmed(waiting)

    async def _confirmed(
        self, waiting: Sequence[tuple[Message, asyncio.Future[object]]]
    ) -> tuple[list[Message], str]:
        futures = {future for _, future in waiting if not future.done()}
        while futures:
            done, futures = await asyncio.wait(futures, timeout=_SLOW_S)
            if not done and futures:
                self._report(False, "brokers do not confirm")
        failed: list[Message] = []
        reason = ""
        for message, future in waiting:
            error = future.exception()
            if error is not None:
                failed.append(message)
                reason = f"{type(error).__name__} on {message.topic}"
        return failed, reason

    async def _reason(self, error: BaseException, topic: str) -> str:
        reason = await reason_of(error, self._kafka)
        return reason if topic in reason else f"{reason} on {topic}"

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(**producer_options(self._kafka), partitioner=self._partitioner)
                try:
                    await started(producer)
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer
