"""Tables from their changelogs in bulk: whole fetches into the store, not a message at a time through Faust.

Faust 0.15.3 takes each record of a changelog through its fetcher, a queue and a timed wait before it reaches
the table. Here a consumer of its own reads up to the end that Faust has asked the brokers for, and Faust is
told how far the table is; it reads what is left, which is nothing unless the brokers stop answering.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, cast

import orjson
import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.types import TP
from faust.types.transports import ConsumerT

FEWEST: Final = 500
"""So many records or less are left to Faust: they are there before a consumer has connected."""
STALLED_S: Final = 10.0
"""With nothing read for so long, the rest is left to Faust, which waits for the brokers."""
LONGEST_S: Final = 1800.0
_FETCH_MS: Final = 500
_RECORDS: Final = 5_000


class Read(NamedTuple):
    """A record of a changelog as a table takes it: `key` is decoded, a `value` of None deletes it."""

    key: str
    value: bytes | None
    message: Any


class Recovered(Protocol):
    """A table that takes records of its changelog."""

    def apply_changelog_batch(self, batch: Iterable[Any]) -> None:
        """Take records of owned partitions, those of one partition in offset order."""
        ...


class BulkRecovery(Recovery):
    """Faust's recovery, whose changelogs are read in bulk. `options` are those of a consumer."""

    def __init__(self, *arguments: Any, options: Callable[[], dict[str, Any]], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._options = options

    async def _wait(self, coro: Any, timeout: Any = None) -> None:  # noqa: ASYNC109 - Faust's own
        """Give the bulk the time that it needs; each of its requests has a time-out of its own."""
        await super()._wait(coro, None if timeout is None else max(float(timeout), LONGEST_S))

    async def _build_offsets(
        self, consumer: ConsumerT, tps: set[TP], destination: Counter[TP], title: str
    ) -> None:
        await super()._build_offsets(consumer, tps, destination, title)
        if title != "active":
            return
        ends = {tp: self.active_highwaters[tp] for tp in tps if self.active_highwaters[tp] > destination[tp]}
        if sum(end - destination[tp] for tp, end in ends.items()) <= FEWEST:
            return
        tables = cast("Mapping[TP, Recovered]", self.tp_to_table)
        try:
            await read_in_bulk(self._options(), tables, ends, destination)
        except (KafkaError, OSError) as error:
            log = structlog.get_logger("davylamp.correlate")
            log.warning("tables are read one by one", error=type(error).__name__)


class BulkTables(TableManager):
    """Faust's tables with that recovery."""

    def __init__(self, *arguments: Any, options: Callable[[], dict[str, Any]], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._options = options

    @property
    def recovery(self) -> Recovery:
        """The recovery service."""
        if self._recovery is None:
            self._recovery = BulkRecovery(
                self.app, self, beacon=self.beacon, loop=self.loop, options=self._options
            )
        return self._recovery


async def read_in_bulk(
    options: Mapping[str, Any], tables: Mapping[TP, Recovered], ends: Mapping[TP, int], offsets: Counter[TP]
) -> None:
    """Read each partition after `offsets` up to and including `ends` into its table; `offsets` follow.

    Returns early when nothing comes for `STALLED_S`. Raises aiokafka.errors.KafkaError.
    """
    began, before = time.monotonic(), sum(offsets[tp] for tp in ends)
    consumer = AIOKafkaConsumer(**{**options, "group_id": None})
    await consumer.start()
    try:
        places = {TopicPartition(*tp): tp for tp in ends}
        consumer.assign(list(places))
        for place, tp in places.items():
            consumer.seek(place, offsets[tp] + 1)
        await _read(consumer, places, tables, ends, offsets)
    finally:
        await consumer.stop()
    structlog.get_logger("davylamp.correlate").info(
        "tables read in bulk",
        records=sum(offsets[tp] for tp in ends) - before,
        seconds=round(time.monotonic() - began, 2),
    )


async def _read(
    consumer: AIOKafkaConsumer,
    places: Mapping[TopicPartition, TP],
    tables: Mapping[TP, Recovered],
    ends: Mapping[TP, int],
    offsets: Counter[TP],
) -> None:
    last = time.monotonic()
    left = dict(places)
    while left and time.monotonic() - last < STALLED_S:
        fetched = await consumer.getmany(*left, timeout_ms=_FETCH_MS, max_records=_RECORDS)
        for place, records in fetched.items():
            tp = places[place]
            tables[tp].apply_changelog_batch(_reads(records, ends[tp]))
            last = time.monotonic()
        for place, tp in list(left.items()):
            # The position goes beyond records that compaction has taken out.
            reached = min(await consumer.position(place) - 1, ends[tp])
            offsets[tp] = max(offsets[tp], reached)
            if reached >= ends[tp]:
                del left[place]


def _reads(records: Sequence[Any], end: int) -> list[Read]:
    return [
        Read(orjson.loads(record.key), record.value, record) for record in records if record.offset <= end
    ]
