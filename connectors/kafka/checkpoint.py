"""Offsets with the counters that they cover, so that a crash neither loses nor counts twice.

Two stores behind one protocol (``docs/architecture.md``, "Counters that survive"): the metadata of
the Kafka commit, and a file for brokers that drop that metadata.

A checkpoint also says which logs its writer knew, by the ids of the group's topics: Kafka deletes a group's
commits with their topic, so that only the commits for the other topics still know that there was one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol, cast

import orjson
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from connectors.kafka.conservation import Counters

_MARK: Final = "davylamp1:"
_LOGS: Final = "@logs"
_METADATA_LIMIT: Final = 4096


class Log(NamedTuple):
    """A topic that was not made anew since: its id, and how many partitions it had."""

    topic_id: str
    partitions: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The next offset to read and the counters of everything below it.

    `logs`: topic -> log, as far as its writer knew them. `ours`: not set by another tool.
    """

    offset: int
    counters: Counters = field(default_factory=dict[str, int])
    logs: Mapping[str, Log] = field(default_factory=dict[str, Log])
    ours: bool = True


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
        """Return offset, counters and logs as committed."""
        return {tp: None if known is None else read_commit(known) for tp, known in committed.items()}

    async def save(self, checkpoints: Mapping[TopicPartition, Checkpoint]) -> None:
        """Do nothing: the commit itself is the write."""

    def metadata(self, checkpoint: Checkpoint) -> str:
        """Return the counters and the logs as a short JSON text."""
        return encode_counters(checkpoint.counters, checkpoint.logs)


def read_commit(commit: OffsetAndMetadata) -> Checkpoint:
    """Return what a commit says."""
    decoded = _decoded(commit.metadata)
    return Checkpoint(
        commit.offset,
        read_counters(decoded),
        read_logs(decoded.get(_LOGS)) if decoded else {},
        decoded is not None,
    )


def encode_counters(counters: Mapping[str, int], logs: Mapping[str, Log] | None = None) -> str:
    """Return counters and logs as metadata of at most 4,096 bytes (Kafka's `offset.metadata.max.bytes`).

    The names are a closed set, so counters never meet the limit in practice; rather than a wrong sum, too
    many are refused with ValueError. Logs that do not fit beside them are left out.
    """
    text = _encoded(
        {**counters, _LOGS: {topic: list(log) for topic, log in logs.items()}} if logs else counters
    )
    if len(text) > _METADATA_LIMIT:
        text = _encoded(counters)
    if len(text) > _METADATA_LIMIT:
        raise ValueError(f"counters take {len(text)} bytes, a commit holds {_METADATA_LIMIT}")
    return text


def _encoded(document: Mapping[str, object]) -> str:
    return _MARK + orjson.dumps(dict(document), option=orjson.OPT_SORT_KEYS).decode()


def decode_counters(metadata: str | None) -> Counters:
    """Return the counters of a commit's metadata; empty for a commit that another tool made."""
    return read_counters(_decoded(metadata))


def _decoded(metadata: str | None) -> dict[str, object] | None:
    if not metadata or not metadata.startswith(_MARK):
        return None
    try:
        decoded: object = orjson.loads(metadata[len(_MARK) :])
    except orjson.JSONDecodeError:
        return None
    return cast("dict[str, object]", decoded) if isinstance(decoded, dict) else None


def read_logs(value: object) -> dict[str, Log]:
    """Return `value` as topic -> log; whatever has another shape is left out."""
    if not isinstance(value, dict):
        return {}
    out: dict[str, Log] = {}
    for topic, entry in cast("dict[str, object]", value).items():
        match entry:
            case [str() as topic_id, int() as partitions]:
                out[topic] = Log(topic_id, partitions)
            case _:
                continue
    return out


def read_counters(value: object) -> Counters:
    """Return `value` as counters; whatever is not a name with a whole number >= 0 is left out."""
    if not isinstance(value, dict):
        return {}
    items = cast("dict[object, object]", value).items()
    return {
        name: count
        for name, count in items
        if isinstance(name, str) and isinstance(count, int) and not isinstance(count, bool) and count >= 0
        if name != _LOGS
    }
