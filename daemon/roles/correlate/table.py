"""A Faust table whose writes can be awaited, and which knows the partition of every key.

Stock Faust 0.15.3 writes a changelog record without telling when it is confirmed, takes the partition
from the current stream event (there is none while a batch is evaluated), and a table in memory keeps the
keys of partitions that this worker no longer owns.

Each write carries its tenure: where the changelog ended when its writer took the partition over, and the
group's generation. A state of an earlier tenure behind one of a later tenure was written by a worker that
had lost the partition and did not know; it is passed over when the table is recovered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Iterable
from functools import cached_property
from typing import Any, Final, NamedTuple, cast

import structlog
from faust.serializers import codecs
from faust.tables.table import Table
from faust.types import TP, EventT

from daemon.roles.correlate.changelog import Changelog

TENURE: Final = "tenure"


class Tenure(NamedTuple):
    """A worker's time with a partition; later ones are greater."""

    offset: int
    generation: int

    def header(self) -> bytes:
        """Return it as the value of a header."""
        return f"{self.offset}/{self.generation}".encode()

    @classmethod
    def of(cls, event: EventT) -> Tenure | None:
        """Return the tenure that a record was written in, None for one that does not say it."""
        value = cast("dict[str, bytes]", dict(event.message.headers or {})).get(TENURE)
        if value is None:
            return None
        offset, _, generation = value.partition(b"/")
        return cls(int(offset), int(generation)) if offset.isdigit() and generation.isdigit() else None


class StateTable(Table[str, bytes]):
    """States by group key: UTF-8 text to JSON bytes."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._keys: dict[int, set[str]] = defaultdict(set)
        self._tenures: dict[int, Tenure] = {}

    def write(self, key: str, value: bytes | None, partition: int) -> Awaitable[None]:
        """Set `key`, or delete it when `value` is None; the awaitable ends when the changelog confirms.

        Writes of one turn of the event loop may share it.
        """
        store = cast("dict[str, bytes]", self.data.data)
        if value is None:
            store.pop(key, None)
            self._keys[partition].discard(key)
        else:
            store[key] = value
            self._keys[partition].add(key)
        return self._send(partition, key, value)

    def _send(self, partition: int, key: str, value: bytes | None) -> Awaitable[None]:
        tenure = self._tenures.get(partition)
        headers = () if tenure is None else ((TENURE, tenure.header()),)
        return self._changelog.put(partition, codecs.dumps(self.key_serializer, key), value, headers)

    @cached_property
    def _changelog(self) -> Changelog:
        producer = cast(Any, self.app.producer)._ensure_producer()
        return Changelog(producer, self.changelog_topic_name)

    def read(self, key: str, partition: int) -> bytes | None:
        """Return the state of a key of an owned partition, or None."""
        if key not in self._keys[partition]:
            return None
        return cast("bytes | None", self.data.data.get(key))

    def keys_of(self, partition: int) -> list[str]:
        """Return the keys of one partition, sorted, so that a walk has one order on every machine."""
        return sorted(self._keys[partition])

    def size(self) -> int:
        """Return how many keys have a state here."""
        return sum(len(keys) for keys in self._keys.values())

    def apply_changelog_batch(self, batch: Iterable[EventT]) -> None:
        """Take records of the changelog into memory, with the partition that each key belongs to."""
        came = list(batch)
        events = [event for event in came if self._in_time(event)]
        if len(events) < len(came):
            log = structlog.get_logger("davylamp.correlate")
            log.warning(
                "states of earlier owners passed over", table=self.name, states=len(came) - len(events)
            )
        super().apply_changelog_batch(events)
        for event in events:
            key = cast(str, self._to_key(event.key))
            keys = self._keys[event.message.partition]
            if event.message.value is None:
                keys.discard(key)
            else:
                keys.add(key)

    def _in_time(self, event: EventT) -> bool:
        """Whether a state was not written after its writer had lost the partition."""
        tenure, partition = Tenure.of(event), event.message.partition
        latest = self._tenures.get(partition)
        if tenure is None:
            return True
        if latest is not None and tenure < latest:
            return False
        self._tenures[partition] = tenure
        return True

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Forget the keys of partitions that another worker owns now, and how far they were recovered.

        With the offset kept, a partition that comes back would be recovered from there, into nothing.
        """
        await super().on_recovery_completed(active_tps, standby_tps)
        owned = {tp.partition for tp in active_tps}
        offsets = cast(Any, self.app.tables).recovery.active_offsets
        store = cast("dict[str, bytes]", self.data.data)
        for partition in [p for p in self._keys if p not in owned]:
            for key in self._keys.pop(partition):
                store.pop(key, None)
            offsets.pop(TP(self.changelog_topic_name, partition), None)
        generation = self.app.consumer_generation_id
        for partition in [p for p in self._tenures if p not in owned]:
            del self._tenures[partition]
        for partition in owned:
            last = offsets.get(TP(self.changelog_topic_name, partition))
            self._tenures[partition] = Tenure(0 if last is None else last + 1, generation)
