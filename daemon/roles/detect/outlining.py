"""Records that no rule can match, accounted for from their outline (`connectors.sources.outline`).

What is counted, remembered and added to flows is what the full way would count, remember and add; whatever
would make output (a new alias, an id used twice, a new edge) is left to the full way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from connectors.kafka.batch import Record
from connectors.kafka.conservation import Counters, add
from connectors.sources.outline import Glance, Outlined
from connectors.sources.outline_reader import FAULTS, OutlineReader
from connectors.sources.partial import NoPartialError
from connectors.sources.reject import Reject
from connectors.sources.source import Source
from daemon.roles.detect.blocks import PartitionBlocks
from daemon.roles.detect.repeated import RepeatedIds
from detectors.alias import RecentAliases
from detectors.canary.proof import HEADER
from detectors.reused_id import SOURCES, ReusedIds
from detectors.sigma.dispatch import Dispatch
from detectors.sigma.engine import Engine
from detectors.sigma.index import Candidate

LONGEST_REST: Final = 64
"""Batches that are read in full without a try after outlines did not pay again and again."""
_PAYS: Final = 1.25
"""Outlines pay where four records of five are told by one: with fewer `bench/stream.py` shows no gain."""
_LEFT: Final = (Reject, *FAULTS)


@dataclass(slots=True)
class Outlining:
    """Reads one topic's records in outline. `max_bytes` is the longest record that is read at all."""

    source: Source
    max_bytes: int
    told: int = 0
    """Records that were told by their outline so far."""
    _reader: OutlineReader | None = None
    _dispatch: Dispatch[Candidate] | None = None
    _paths: Sequence[str] | None = None
    _look: bool = True
    _resting: int = 0
    _rest: int = 1

    def begin(self, engine: Engine) -> bool:
        """Return whether the next batch is to be tried in outline, judged by `engine`."""
        dispatch = engine.dispatch(self.source)
        if dispatch is not self._dispatch:
            self._dispatch, self._paths = dispatch, None
        if self._resting:
            self._resting -= 1
            return False
        return self._planned()

    def ended(self, tried: int, told: int) -> None:
        """Note how a batch went: where most records are read in full anyway, try more and more seldom."""
        self.told += told
        in_vain = told * _PAYS < tried
        self._resting = self._rest if in_vain else 0
        self._rest = min(self._rest * 2, LONGEST_REST) if in_vain else 1

    def glance(self, record: Record) -> Glance | None:
        """Return what the record's event says, None when it is to be read in full."""
        value = record.value
        if self._look and not self._planned():
            return None
        self._look = True  # what is read in full may change by which fields events are sorted
        if value is None or len(value) > self.max_bytes:
            return None
        if record.headers and any(name == HEADER for name, _ in record.headers):
            return None
        reader = self._reader
        if reader is None:
            return None
        try:
            found = reader.read(value)
        except _LEFT:
            return None
        self._look = found is None
        return found

    def _planned(self) -> bool:
        """Make the reader anew when rules sort events by other fields; return whether there is one."""
        dispatch, reader = self._dispatch, self._reader
        if dispatch is None or (dispatch.paths is self._paths and not (reader and reader.wanted)):
            return reader is not None
        self._paths = dispatch.paths
        outline = self.source.outline() if isinstance(self.source, Outlined) else None
        more = frozenset[str]() if reader is None else reader.more | reader.wanted
        try:
            self._reader = outline and OutlineReader(outline, dispatch, self.source.aliases, more)
        except NoPartialError:
            self._reader = None
        return self._reader is not None


@dataclass(slots=True)
class Told:
    """The records of one batch of a partition that were told by their outline."""

    source: str
    blocks: PartitionBlocks
    repeated: RepeatedIds
    reused: ReusedIds
    recent: RecentAliases
    records: int = 0
    again: int = 0

    def take(self, record: Record, glance: Glance) -> bool:
        """Account for a record; False, with nothing changed, when its event would make output."""
        event_id, time, aliases, edge, sent = glance
        if event_id is None:
            event_id = f"{record.topic}/{record.partition}/{record.offset}/0"
        reused = self.reused if self.source in SOURCES else None
        recent = self.recent
        if reused is not None and reused.clashes(event_id):
            return False
        for alias in aliases:
            if not recent.holds(alias):
                return False
        if edge is not None and not self.blocks.grow(record.offset, time, edge, sent):
            return False
        if self.repeated.seen(self.source, event_id):
            self.again += 1
        elif reused is not None:
            reused.note(event_id)
        for alias in aliases:
            recent.is_news(alias)
        self.records += 1
        return True

    def count(self, counts: Counters) -> None:
        """Add what was told to the counts of the batch."""
        new = self.records - self.again
        add(counts, {"records:read": self.records, "records:unpacked": self.records})
        add(counts, {"events:unpacked": self.records, "events:accepted": new, "events:repeated": self.again})
