"""Dead letters once more, after what stood in their way was mended: `davylamp dlq redrive`.

A letter holds a masked beginning of its record, so the record itself is read again at the letter's origin.
What comes out has the ids that it would have had: whoever has it already sees nothing new, so redriving twice
is redriving once. What still cannot be read is counted and left; no letter is written, so nothing goes round.
Flow records are not made, for one replaces its whole block: baselines miss these events.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from connectors.ecs.stream import Document
from connectors.kafka.batch import Record
from connectors.kafka.bounded_reading import read_one
from connectors.kafka.letter import Letter
from connectors.kafka.producer import Message
from connectors.siem.target import SiemTarget, TargetAwayError
from connectors.sources.envelope import unpack
from connectors.sources.source import Source
from daemon.roles.detect.outputs import finding_message, match_message
from daemon.roles.forward.item import Reader
from detectors.alias import RecentAliases, findings
from detectors.event import Event
from detectors.sigma.engine import Inspection

Counts: TypeAlias = "Counter[str]"
_ALIASES: Final = 1000
_TRIES: Final = 5


class Redrive(Protocol):
    """What becomes of a record that is read again, and of which letters it is asked."""

    def wants(self, letter: Letter) -> bool:
        """Return whether the letter is one that this way can mend."""
        ...

    async def take(self, record: Record, letters: Sequence[Letter], counts: Counts) -> int:
        """Take the record of some letters; return how many events or documents it gave.

        Raises KafkaError and TargetAwayError.
        """
        ...


@dataclass(frozen=True, slots=True)
class ToDetection:
    """Letters of detect: the record through rules; findings and matches go where detect sends them.

    Without `send` nothing is written (a dry run).
    """

    source_of: Mapping[str, Source]
    inspect: Callable[[Event], Inspection]
    send: Callable[[Sequence[Message]], Awaitable[None]] | None
    max_record_bytes: int

    def wants(self, letter: Letter) -> bool:
        """Return whether detect wrote it."""
        return letter.role == "detect"

    async def take(self, record: Record, letters: Sequence[Letter], counts: Counts) -> int:
        """Inspect every event of the record: those that were read the first time give the same ids."""
        place = (record.topic, record.partition, record.offset)
        unpacked = unpack(record.value, self.source_of[record.topic], *place, max_bytes=self.max_record_bytes)
        counts["still_unreadable"] += len(unpacked.rejects)
        counts["events"] += len(unpacked.events)
        recent, messages = RecentAliases(_ALIASES), list[Message]()
        for event in unpacked.events:
            inspected = self.inspect(event)
            found = [*inspected.findings, *findings(event, recent)]
            counts["findings"] += len(inspected.findings)
            counts["matches"] += len(inspected.matches)
            counts["rules_failed"] += len(inspected.errors)
            messages += [finding_message(finding) for finding in found]
            messages += [match_message(match) for match in inspected.matches]
        if messages and self.send is not None:
            await self.send(messages)
        return len(unpacked.events)


@dataclass(frozen=True, slots=True)
class ToTargets:
    """Letters of forward, and of detect: what a target refused, or never saw because it could not be read.

    `pause(attempt)` waits before the next attempt; without it nothing is delivered (a dry run).
    """

    readers: Mapping[str, Reader]
    targets: Mapping[str, SiemTarget]
    pause: Callable[[int], Awaitable[None]] | None

    def wants(self, letter: Letter) -> bool:
        """Return whether it concerns one of the targets."""
        return letter.role == "detect" or (letter.role == "forward" and letter.target in self.targets)

    async def take(self, record: Record, letters: Sequence[Letter], counts: Counts) -> int:
        """Deliver the documents of the record to the targets that the letters concern."""
        items = list(self.readers[record.topic].items(record))
        counts["still_unreadable"] += sum(item.ending in ("unreadable", "rejected") for item in items)
        documents = [(item.index, item.document) for item in items if item.document is not None]
        counts["documents"] += len(documents)
        for name, target in self.targets.items():
            mine = {letter.place[2] for letter in letters if letter.target == name and letter.place}
            every = any(letter.role == "detect" for letter in letters)
            await self._deliver(target, [d for index, d in documents if every or index in mine], counts)
        return len(documents)

    async def _deliver(self, target: SiemTarget, documents: list[Document], counts: Counts) -> None:
        if self.pause is None:
            return
        for attempt in range(_TRIES):
            if not documents:
                return
            outcomes = await target.deliver(documents)
            counts.update(outcome.ending for outcome in outcomes if outcome.ending != "retry")
            documents = [
                document
                for document, outcome in zip(documents, outcomes, strict=True)
                if outcome.ending == "retry"
            ]
            await self.pause(attempt)
        if documents:
            raise TargetAwayError(f"{target.name} takes nothing more: {len(documents)} documents are left")


async def redrive_letters(
    consumer: AIOKafkaConsumer,
    letters: Iterable[Letter],
    way: Redrive,
    topics: Iterable[str],
    counts: Counts,
) -> AsyncIterator[int]:
    """Read the records of `letters` once each, in order of their place, and yield how much each one gave.

    Only records of `topics` are read: an origin is text. `counts` is filled on the way. Raises KafkaError,
    TimeoutError, TargetAwayError; what was done before stays done and counted.
    """
    known, by_place = frozenset(topics), defaultdict[tuple[TopicPartition, int], list[Letter]](list)
    for letter in letters:
        if not way.wants(letter):
            continue
        counts["letters"] += 1
        place = letter.place
        if place is None or place[0].topic not in known:
            counts["unknown_origin"] += 1
            continue
        by_place[place[:2]].append(letter)
    for (tp, offset), its in sorted(by_place.items(), key=lambda item: item[0]):
        record = await read_one(consumer, tp, offset)
        counts["records"] += 1
        if record is None:
            counts["gone"] += 1
            continue
        yield await way.take(record, its, counts)
