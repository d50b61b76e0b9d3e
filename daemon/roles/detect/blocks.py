"""Flow records: the contacts of one block of 1,000 offsets of a source partition, replaced as it grows.

A block is always summed from its first offset on, also after a restart (the consumer reads it again), so
the same offsets give the same records: a later record replaces an earlier one of its id, never adds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from aiokafka.structs import TopicPartition

from detectors.event import Contact, Event, Fields
from detectors.identifier import derive

BLOCK_OFFSETS: Final = 1000
MAX_EDGES: Final = 10_000


def block_start(offset: int) -> int:
    """Return the first offset of the block that `offset` lies in."""
    return offset - offset % BLOCK_OFFSETS


@dataclass(slots=True)
class Flow:
    """One edge of one block; times are seconds (UTC). The first event is the first in offset order."""

    contact: Contact
    source: str
    tp: TopicPartition
    block: int
    count: int
    bytes_out: int
    first_time: float
    last_time: float
    first_event_id: str
    entities: list[Fields]

    @property
    def key(self) -> str:
        """The record's key: model, subject type and id."""
        kind, name = self.contact.subject
        return f"{self.contact.model}|{kind}:{name}"

    def to_json(self) -> Fields:
        """Return the message of ``docs/architecture.md`` ("Messages on internal topics")."""
        contact, tp = self.contact, self.tp
        return {
            "kind": "flow",
            "flow_id": derive(
                "flow",
                tp.topic,
                str(tp.partition),
                str(self.block),
                contact.model,
                *contact.subject,
                *contact.peer,
            ),
            "model": contact.model,
            "source": self.source,
            "topic": tp.topic,
            "partition": tp.partition,
            "block": self.block,
            "subject": list(contact.subject),
            "peer": list(contact.peer),
            "count": self.count,
            "bytes_out": self.bytes_out,
            "first_time": self.first_time,
            "last_time": self.last_time,
            "first_event_id": self.first_event_id,
            "entities": list(self.entities),
            "outside": contact.outside,
        }


_Edge = tuple[str, tuple[str, str], tuple[str, str]]


@dataclass(slots=True)
class PartitionBlocks:
    """The open block of one partition, and the edges that changed since `changed` was last asked."""

    tp: TopicPartition
    block: int = -1
    _flows: dict[_Edge, Flow] = field(default_factory=dict[_Edge, Flow])
    _touched: dict[tuple[int, _Edge], Flow] = field(default_factory=dict[tuple[int, _Edge], Flow])

    def add(self, event: Event, contacts: Iterable[Contact], *, told: bool) -> int:
        """Add contacts; `told` means an earlier life has written them. Return how many found no room."""
        block = event.locator.offset // BLOCK_OFFSETS
        if block != self.block:
            self.block = block
            self._flows = {}
        overflow = 0
        for contact in contacts:
            edge = (contact.model, contact.subject, contact.peer)
            flow = self._flows.get(edge)
            if flow is not None:
                _grow(flow, event, contact)
            elif len(self._flows) < MAX_EDGES:
                flow = self._flows[edge] = self._new(event, contact)
            else:
                overflow += 1
                continue
            if not told:
                self._touched[block, edge] = flow
        return overflow

    def grow(self, offset: int, time: float, edge: _Edge, bytes_out: int) -> bool:
        """Add a contact of an edge that the open block knows; False, with nothing changed, for any other."""
        block = offset // BLOCK_OFFSETS
        flow = self._flows.get(edge) if block == self.block else None
        if flow is None:
            return False
        flow.count += 1
        flow.bytes_out += bytes_out
        if time < flow.first_time:
            flow.first_time = time
        elif time > flow.last_time:
            flow.last_time = time
        self._touched[block, edge] = flow
        return True

    def changed(self) -> Iterator[Flow]:
        """Give the flows that changed, once."""
        touched, self._touched = self._touched, {}
        yield from touched.values()

    def _new(self, event: Event, contact: Contact) -> Flow:
        return Flow(
            contact=contact,
            source=event.source,
            tp=self.tp,
            block=self.block,
            count=1,
            bytes_out=contact.bytes_out,
            first_time=event.time,
            last_time=event.time,
            first_event_id=event.event_id,
            entities=[{"type": e.type, "id": e.id, "role": e.role} for e in event.profile.entities(event)],
        )


def _grow(flow: Flow, event: Event, contact: Contact) -> None:
    flow.count += 1
    flow.bytes_out += contact.bytes_out
    if contact.outside and not flow.contact.outside:
        flow.contact = flow.contact._replace(outside=True)
    flow.first_time = min(flow.first_time, event.time)
    flow.last_time = max(flow.last_time, event.time)
