"""Offsets with the counters that they cover, so that a crash neither loses nor counts twice.

Two stores behind one protocol (``docs/architecture.md``, "Counters that survive"): the metadata of
the Kafka commit, and a file for brokers that drop that metadata.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, cast

import orjson
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from connectors.kafka.conservation import Counters

_MARK: Final = "davylamp1:"
_METADATA_LIMIT: Final = 4096


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The next offset to read and the counters of everything below it."""

    offset: int
    counters: Counters = field(default_factory=dict[str, int])


class CheckpointStore(Protocol):
    """Where checkpoints are. One consumer group each."""

    async def load(
        self, committed: Mapping[TopicPartition, OffsetAndMetadata | None]
    ) -> dict[TopicPartition, Checkpoint | None]:
        """Return the checkpoint of every key of `committed` (what Kafka says, None when it knows nothing).

        Raises CheckpointUnreadableError.
        """
        ...

    async def save(self, checkpoints: Mapping[TopicPartition, Checkpoint]) -> None:
        """Keep the checkpoints before the Kafka commit. Raises CheckpointLostError, OSError."""
        ...

    def metadata(self, checkpoint: Checkpoint) -> str:
        """Return what goes into the metadata of the Kafka commit."""
        ...


class CommitMetadata:
    """Counters ride in the commit: one write, so offset and counters cannot differ.

    Kafka's generation keeps a worker that lost its partition from writing.
    """

    async def load(
        self, committed: Mapping[TopicPartition, OffsetAndMetadata | None]
    ) -> dict[TopicPartition, Checkpoint | None]:
        """Return offset and counters as committed."""
        return {
            tp: None if known is None else Checkpoint(known.offset, decode_counters(known.metadata))
            for tp, known in committed.items()
        }

    async def save(self, checkpoints: Mapping[TopicPartition, Checkpoint]) -> None:
        """Do nothing: the commit itself is the write."""

    def metadata(self, checkpoint: Checkpoint) -> str:
        """Return the counters as a short JSON text."""
        return encode_counters(checkpoint.counters)


def encode_counters(counters: Mapping[str, int]) -> str:
    """Return counters as metadata of at most 4,096 bytes (Kafka's `offset.metadata.max.bytes`).

    The names are a closed set, so the limit is never met in practice; rather than a wrong sum, too
    many are refused with ValueError.
    """
    text = _MARK + orjson.dumps(dict(counters), option=orjson.OPT_SORT_KEYS).decode()
    if len(text) > _METADATA_LIMIT:
        raise ValueError(f"counters take {len(text)} bytes, a commit holds {_METADATA_LIMIT}")
    return text


def decode_counters(metadata: str | None) -> Counters:
    """Return the counters of a commit's metadata; empty for a commit that another tool made."""
    if not metadata or not metadata.startswith(_MARK):
        return {}
    try:
        decoded: object = orjson.loads(metadata[len(_MARK) :])
    except orjson.JSONDecodeError:
        return {}
    return read_counters(decoded)


def read_counters(value: object) -> Counters:
    """Return `value` as counters; whatever is not a name with a whole number >= 0 is left out."""
    if not isinstance(value, dict):
        return {}
    items = cast("dict[object, object]", value).items()
    return {
        name: count
        for name, count in items
        if isinstance(name, str) and isinstance(count, int) and not isinstance(count, bool) and count >= 0
    }
