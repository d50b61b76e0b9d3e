"""A Faust table whose writes can be awaited, and which knows the partition of every key.

Stock Faust 0.15.3 writes a changelog record without telling when it is confirmed, takes the partition
from the current stream event (there is none while a batch is evaluated), and a table in memory keeps the
keys of partitions that this worker no longer owns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, cast

from faust.tables.table import Table
from faust.types import TP, EventT, FutureMessage


class StateTable(Table[str, bytes]):
    """States by group key: UTF-8 text to JSON bytes."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._keys: dict[int, set[str]] = defaultdict(set)

    def write(self, key: str, value: bytes | None, partition: int) -> FutureMessage:
        """Set `key`, or delete it when `value` is None; the future ends when the changelog confirms."""
        store = cast("dict[str, bytes]", self.data.data)
        if value is None:
            store.pop(key, None)
            self._keys[partition].discard(key)
            return self.send_changelog(partition, key, None, value_serializer="raw")
        store[key] = value
        self._keys[partition].add(key)
        return self.send_changelog(partition, key, value)

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
        events = list(batch)
        super().apply_changelog_batch(events)
        for event in events:
            key = cast(str, self._to_key(event.key))
            keys = self._keys[event.message.partition]
            if event.message.value is None:
                keys.discard(key)
            else:
                keys.add(key)

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Forget the keys of partitions that another worker owns now, and how far they were recovered.

        With the offset kept, a partition that comes back would be recovered from there, into nothing.
        """
        await super().on_recovery_completed(active_tps, standby_tps)
        owned = {tp.partition for tp in active_tps}
        store = cast("dict[str, bytes]", self.data.data)
        for partition in [p for p in self._keys if p not in owned]:
            for key in self._keys.pop(partition):
                store.pop(key, None)
            changelog = TP(self.changelog_topic_name, partition)
            cast(Any, self.app.tables).recovery.active_offsets.pop(changelog, None)
