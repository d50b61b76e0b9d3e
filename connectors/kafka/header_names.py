"""Records whose header names are no UTF-8: aiokafka raises on them, and no consumer ever gets past one.

Kafka takes any bytes as a header's name, so whoever may write to a raw topic could stop every role that
reads it. aiokafka has no hook for it; its fetcher is given this reader of fetched bytes instead. It reads a
batch as before, and only from a record that cannot be read so with aiokafka's slower reader in Python, where
bytes of a name that are no UTF-8 become U+FFFD.
"""

# pyright: reportPrivateUsage=false, reportPrivateImportUsage=false
from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, SupportsIndex

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy


def read_any_header_name() -> None:
    """Let consumers that are made from now on read such records; doing so again changes nothing."""
    fetcher.MemoryRecords = AnyHeaderRecords  # type: ignore[misc,assignment]


class AnyHeaderRecords(_MemoryRecordsPy):  # type: ignore[misc]
    """The batches of one fetched partition."""

    def next_batch(self, *args: Any, **options: Any) -> Any:
        """Return the next batch, None after the last one. Raises CorruptRecordException."""
        whole = self._next_slice
        batch = super().next_batch(*args, **options)
        return _Batch(batch, whole) if isinstance(batch, DefaultRecordBatch) else batch


class _Batch:
    """A batch of today's format (v2); what is asked of it beside its records, the inner one answers."""

    __slots__ = ("_inner", "_whole")

    def __init__(self, inner: Any, whole: Any) -> None:
        self._inner = inner
        self._whole = whole

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __next__(self) -> Any:
        return next(self._inner)

    def __iter__(self) -> Iterator[Any]:
        read = 0
        try:
            for record in self._inner:
                yield record
                read += 1
        except UnicodeDecodeError:
            yield from islice(_slowly(self._whole), read, None)


def _slowly(whole: Any) -> Iterator[Any]:
    batch = _DefaultRecordBatchPy(whole)
    batch._maybe_uncompress()
    batch._buffer = _Bytes(batch._buffer)
    return iter(batch)


class _Bytes(bytearray):
    """A buffer whose slices decode whatever they hold."""

    def __getitem__(self, at: SupportsIndex | slice) -> Any:
        found = super().__getitem__(at)
        return _Bytes(found) if isinstance(found, bytearray) else found

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return super().decode(encoding, "replace")
