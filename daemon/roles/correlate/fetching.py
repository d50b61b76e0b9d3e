"""Faust's consumer, without its ways to fetch records that nobody is given.

Around a rebalance Faust pauses partitions and throws away what it fetches of them; it relies on going back to
the committed offsets afterwards. Two gaps in that, of Faust 0.15.3 and aiokafka 0.14.0 together, are closed
here. Each left the records of a partition unread until its next rebalance (measured: a worker takes over a
partition of which nothing was committed yet, half of the times):

- The partitions to fetch are a set that a pause may empty while a fetch waits, and aiokafka takes an empty
  one for all partitions: records come of those that are paused, and of changelogs that are being recovered.
- aiokafka does not go back where nothing, or offset 0, is committed.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any, ClassVar, cast

import faust
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from faust.types import TP
from faust.types.transports import ConsumerT, TransportT


class Only:
    """Some partitions and no others, none of them when there are none. Follows the set that it is made of."""

    def __init__(self, partitions: Set[TP]) -> None:
        self._partitions = partitions

    def __contains__(self, partition: object) -> bool:
        return partition in self._partitions

    def __bool__(self) -> bool:
        return True


class FetchingThread(AIOKafkaConsumerThread):
    """Fetches of active partitions only, also when there are none any more."""

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: Set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - Faust's own
        max_records: int | None = None,
    ) -> Any:
        only = cast(Any, Only(active_partitions))
        return await super()._fetch_records(consumer, only, timeout=timeout, max_records=max_records)


class FetchingConsumer(Consumer):
    """Goes back to the beginning of a partition where nothing is committed.

    Offset 0 that is no more becomes the earliest by `auto_offset_reset`. To ask for the earliest would wait
    for the fetch under way (1.5 s), also when the app stops.
    """

    def _new_consumer_thread(self) -> AIOKafkaConsumerThread:
        return FetchingThread(self, loop=self.loop, beacon=self.beacon)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Return the committed offsets. Raises aiokafka.errors.IllegalStateError after another rebalance."""
        committed = await super().seek_to_committed()
        nothing = [tp for tp, offset in committed.items() if not offset and not self._is_changelog_tp(tp)]
        if nothing:
            await self._thread.seek_wait(dict.fromkeys(nothing, 0))
        return committed


class FetchingTransport(Transport):
    """Kafka with that consumer."""

    Consumer: ClassVar[type[ConsumerT]] = FetchingConsumer


class App(faust.App):
    """An app with that transport."""

    def _new_transport(self) -> TransportT:
        return FetchingTransport(self.conf.broker_consumer, self)
