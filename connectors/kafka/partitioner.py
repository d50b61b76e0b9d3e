"""Which partition a key goes to: Kafka's own choice, remembered.

The keys of what detect writes come again and again (a correlation and its group), and to hash one takes
longer than to write it.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import unpack_from
from typing import Final

from aiokafka.partitioner import DefaultPartitioner

MAX_KEYS: Final = 20_000
_SEED: Final = 0x9747B28C
_MIX: Final = 0x5BD1E995
_MASK: Final = 0xFFFFFFFF


class RememberingPartitioner(DefaultPartitioner):
    """Chooses as Kafka's Java client does. Remembers at most `max_keys` hashes, then begins anew."""

    def __init__(self, max_keys: int = MAX_KEYS) -> None:
        self._max_keys = max_keys
        self._hashes: dict[bytes, int] = {}

    def __call__(  # pyright: ignore[reportIncompatibleMethodOverride] - aiokafka's is a class method
        self, key: bytes | None, all_partitions: Sequence[int], available: Sequence[int]
    ) -> int:
        """Return the partition of `key`; any that is available for None."""
        if key is None:
            return DefaultPartitioner.__call__(key, all_partitions, available)
        found = self._hashes.get(key)
        if found is None:
            if len(self._hashes) >= self._max_keys:
                self._hashes.clear()
            found = self._hashes[key] = murmur2(key) & 0x7FFFFFFF
        return all_partitions[found % len(all_partitions)]


def murmur2(data: bytes) -> int:
    """Return the MurmurHash2 (32 bits) of `data` as Kafka's clients compute it (`Utils.murmur2`)."""
    length = len(data)
    result = _SEED ^ length
    for word in unpack_from(f"<{length // 4}I", data):
        mixed = word * _MIX & _MASK
        result = (result * _MIX & _MASK) ^ ((mixed ^ mixed >> 24) * _MIX & _MASK)
    if rest := length & 3:
        result = (result ^ int.from_bytes(data[length - rest :], "little")) * _MIX & _MASK
    result = (result ^ result >> 13) * _MIX & _MASK
    return result ^ result >> 15
