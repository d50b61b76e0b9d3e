"""Records of a topic as documents for a SIEM: one reader for raw events, one for each internal topic."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, TypeAlias

import orjson
from aiokafka.structs import TopicPartition

from connectors.ecs.audit import NotAnAuditEntryError, audit_document
from connectors.ecs.canary import canary_document
from connectors.ecs.event import event_document
from connectors.ecs.finding import alert_document
from connectors.ecs.incident import NotAnIncidentError, incident_document
from connectors.ecs.stream import Document
from connectors.kafka.batch import Record
from connectors.kafka.topics import AUDIT, FINDINGS, INCIDENTS
from connectors.sources.envelope import unpack
from connectors.sources.source import Source
from detectors.canary.sight import Sight, sight_of
from detectors.event import Event
from detectors.finding import Finding, FindingFormatError
from detectors.lifecycle.held import is_held

UNMAPPABLE: Final = "unmappable"
NOT_OURS: Final = "not_ours"
# What a hostile record could provoke while it is mapped; the item ends as a dead letter.
MAPPING_FAULTS: Final = (
    TypeError,
    ValueError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing of a record. Without a document it has ended already: filtered, rejected or unreadable.

    `canary`: the document is the finding of this canary.
    """

    document: Document | None
    index: int
    ending: Literal["pending", "filtered", "rejected", "unreadable"] = "pending"
    reason: str = ""
    detail: str = ""
    canary: Sight | None = None


class Reader(Protocol):
    """Turns a record into items. Never raises because of its content."""

    @property
    def source(self) -> str:
        """The source kind, or the name of the internal stream."""
        ...

    def items(self, record: Record) -> Iterator[Item]:
        """Give the items in order."""
        ...


@dataclass(frozen=True, slots=True)
class RawReader:
    """Events of a raw topic. What cannot be read is detect's dead letter: counted here, left alone."""

    profile: Source
    namespace: str
    clock: Callable[[], float]
    max_record_bytes: int

    @property
    def source(self) -> str:
        """The source kind."""
        return self.profile.kind

    def items(self, record: Record) -> Iterator[Item]:
        """Give a document for each event."""
        unpacked = unpack(
            record.value,
            self.profile,
            record.topic,
            record.partition,
            record.offset,
            max_bytes=self.max_record_bytes,
        )
        for reject in unpacked.rejects:
            yield Item(None, reject.locator.index if reject.locator else 0, "unreadable")
        for event in unpacked.events:
            yield self._item(event)

    def _item(self, event: Event) -> Item:
        try:
            document = event_document(event, self.namespace, self.clock())
        except MAPPING_FAULTS as error:
            return Item(None, event.locator.index, "rejected", UNMAPPABLE, type(error).__name__)
        return Item(document, event.locator.index)


Mapper: TypeAlias = Callable[[Mapping[str, Any], str, float], "Document | None"]


@dataclass(frozen=True, slots=True)
class InternalReader:
    """One JSON object a record, written by Davylamp itself.

    A tombstone, an informational finding and one that is held back are filtered.
    """

    source: str
    mapper: Mapper
    namespace: str
    clock: Callable[[], float]

    def items(self, record: Record) -> Iterator[Item]:
        """Give the one item of the record."""
        if record.value is None:
            yield Item(None, 0, "filtered")
            return
        try:
            decoded: object = orjson.loads(record.value)
            if not isinstance(decoded, dict):
                raise TypeError("not an object")
            document = self.mapper(decoded, self.namespace, self.clock())
        except (NotAnIncidentError, NotAnAuditEntryError, FindingFormatError) as error:
            yield Item(None, 0, "rejected", NOT_OURS, str(error))
        except MAPPING_FAULTS as error:
            yield Item(None, 0, "rejected", NOT_OURS, type(error).__name__)
        else:
            canary = sight_of(decoded) if document and self.source == "findings" else None
            yield Item(document, 0, canary=canary) if document else Item(None, 0, "filtered")


def _alert(document: Mapping[str, Any], namespace: str, now: float) -> Document | None:
    finding = Finding.from_json(document)
    if sight_of(document) is not None:
        return canary_document(finding, namespace, now)
    if is_held(finding):
        return None
    return alert_document(finding, namespace, now)


MAPPERS: Final[Mapping[str, tuple[str, Mapper]]] = {
    FINDINGS: ("findings", _alert),
    INCIDENTS: ("incidents", incident_document),
    AUDIT: ("audit", audit_document),
}


def origin(tp: TopicPartition, offset: int, index: int) -> str:
    """Return the place of an item as dead letters name it."""
    return f"{tp.topic}/{tp.partition}/{offset}/{index}"
