"""Checkpoints in one JSON file a consumer group, for brokers that drop commit metadata.

The file is locked, read, changed, synced and renamed for each save. A worker may only write a
partition whose offset in the file is the one that it last read or wrote itself: a worker that was
asleep while another took over gets CheckpointLostError instead of turning the counters back.
All workers of a group share the folder; workers on several machines need a broker that keeps metadata.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

import orjson
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from config.settings import Settings
from connectors.kafka.checkpoint import (
    Checkpoint,
    CheckpointStore,
    CommitMetadata,
    read_counters,
    read_logs,
)
from connectors.kafka.error import CheckpointLostError, CheckpointUnreadableError

_SCHEMA: Final = "davylamp.checkpoint/1"
_GROUP: Final = re.compile(r"[A-Za-z0-9._-]{1,128}\Z")


class CheckpointFile:
    """The file store. Blocking work runs in a thread."""

    def __init__(self, state_dir: Path, group: str) -> None:
        """Keep `group` in `state_dir`. Raises ValueError for a group name that is no file name."""
        if not _GROUP.match(group):
            raise ValueError(f"group {group!r} cannot name a file")
        self.path = state_dir / "kafka" / f"{group}.json"
        self._known: dict[TopicPartition, int | None] = {}

    async def load(
        self, committed: Mapping[TopicPartition, OffsetAndMetadata | None]
    ) -> dict[TopicPartition, Checkpoint | None]:
        """Return the file's checkpoints; what the file does not know is as Kafka says, without counters."""
        held = await asyncio.to_thread(self._read)
        out: dict[TopicPartition, Checkpoint | None] = {}
        for tp, offset in committed.items():
            found = held.get(tp)
            self._known[tp] = found.offset if found else None
            out[tp] = found or (Checkpoint(offset.offset) if offset else None)
        return out

    async def save(self, checkpoints: Mapping[TopicPartition, Checkpoint]) -> None:
        """Write and sync. Raises CheckpointLostError (nothing is written then) and OSError."""
        await asyncio.to_thread(self._write, dict(checkpoints))
        self._known.update({tp: checkpoint.offset for tp, checkpoint in checkpoints.items()})

    def metadata(self, checkpoint: Checkpoint) -> str:
        """Return nothing: the file holds the counters."""
        return ""

    def clear(self) -> None:
        """Forget everything (the group starts anew). The workers must be stopped."""
        with self._lock():
            self.path.unlink(missing_ok=True)
        self._known.clear()

    def _write(self, checkpoints: Mapping[TopicPartition, Checkpoint]) -> None:
        with self._lock():
            held = self._read()
            for tp in checkpoints:
                found = held.get(tp)
                if (found.offset if found else None) != self._known.get(tp):
                    raise CheckpointLostError(tp.topic, tp.partition)
            held.update(checkpoints)
            self._replace(held)

    def _replace(self, held: Mapping[TopicPartition, Checkpoint]) -> None:
        document = {
            "schema": _SCHEMA,
            "partitions": {
                f"{tp.topic}/{tp.partition}": {
                    "offset": value.offset,
                    "counters": value.counters,
                    "logs": {topic: list(log) for topic, log in value.logs.items() if topic == tp.topic},
                }
                for tp, value in held.items()
            },
        }
        temporary = self.path.with_suffix(f".{os.getpid()}.tmp")
        with temporary.open("wb") as file:
            file.write(orjson.dumps(document, option=orjson.OPT_SORT_KEYS))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _read(self) -> dict[TopicPartition, Checkpoint]:
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        try:
            document: object = orjson.loads(data)
            if not isinstance(document, dict) or document.get("schema") != _SCHEMA:
                raise CheckpointUnreadableError(f"{self.path} is no {_SCHEMA}: move it away to start anew")
            return dict(_entries(cast("dict[str, object]", document)))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointUnreadableError(f"{self.path} is damaged: move it away to start anew") from error

    @contextmanager
    def _lock(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _entries(document: dict[str, object]) -> Iterator[tuple[TopicPartition, Checkpoint]]:
    partitions = cast("dict[str, dict[str, object]]", document["partitions"])
    for name, entry in partitions.items():
        topic, _, partition = name.rpartition("/")
        offset = entry["offset"]
        if not isinstance(offset, int) or offset < 0:
            raise ValueError(f"offset of {name}")
        checkpoint = Checkpoint(offset, read_counters(entry["counters"]), read_logs(entry.get("logs")))
        yield TopicPartition(topic, int(partition)), checkpoint


def store_for(settings: Settings, group: str) -> CheckpointStore:
    """Return the store that `kafka.counters` names, for one consumer group."""
    if settings.kafka.counters == "commit_metadata":
        return CommitMetadata()
    return CheckpointFile(settings.state_dir, group)
