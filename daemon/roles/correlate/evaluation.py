"""What stands between Kafka and the pure detectors: records in, findings and states to write out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import orjson

from daemon.roles.correlate.error import MessageFormatError
from detectors.event import Fields
from detectors.finding import Finding


class Record(NamedTuple):
    """One record of an internal topic; `time` is its append time (seconds, UTC)."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    time: float


class States(Protocol):
    """The states of owned partitions, as they were before the batch."""

    def read(self, key: str, partition: int) -> bytes | None:
        """Return the JSON state of a key, or None."""
        ...

    def keys_of(self, partition: int) -> list[str]:
        """Return the keys of one partition, sorted."""
        ...


class Write(NamedTuple):
    """A state to write; None deletes the key."""

    key: str
    value: bytes | None
    partition: int


@dataclass(slots=True)
class Evaluation:
    """What a batch leaves behind: findings first, then the states that record them."""

    findings: list[Finding] = field(default_factory=list[Finding])
    writes: list[Write] = field(default_factory=list[Write])


class Evaluator(Protocol):
    """Turns a batch of records of one topic into an evaluation. No I/O."""

    def evaluate(self, records: Sequence[Record], states: States) -> Evaluation:
        """Evaluate records of owned partitions; those of one partition are in offset order."""
        ...

    def forget(self) -> None:
        """Drop what is kept in memory beside the states: partitions may go to another worker."""
        ...


def decode(record: Record) -> Fields:
    """Return the record's JSON object. Raises MessageFormatError("empty" | "bad_json" | "not_an_object")."""
    if not record.value:
        raise MessageFormatError("empty")
    try:
        document = orjson.loads(record.value)
    except orjson.JSONDecodeError as error:
        raise MessageFormatError("bad_json") from error
    if not isinstance(document, dict):
        raise MessageFormatError("not_an_object")
    return document


def text_key(record: Record) -> str:
    """Return the record's key as text. Raises MessageFormatError("key")."""
    try:
        return (record.key or b"").decode("utf-8")
    except UnicodeDecodeError as error:
        raise MessageFormatError("key") from error
