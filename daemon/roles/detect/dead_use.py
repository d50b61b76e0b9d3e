"""The dead credentials that this worker looks for in every record, also in those that no rule reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from connectors.kafka.producer import Message
from connectors.sources.presented import marks, may_name, presented
from connectors.sources.source import Source
from daemon.roles.detect.outputs import finding_message
from detectors.dead_credential import RULE_ID, DeadCredentials
from detectors.event import Event

# What a hostile record could provoke in a source's own reading of its fields.
_FAULTS = (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError, RecursionError)


@dataclass(slots=True)
class DeadUse:
    """Shared by the stage, which asks, and the watch, which fills `known` between two batches."""

    known: DeadCredentials = field(default_factory=DeadCredentials)
    _marks: dict[str, tuple[bytes, ...]] = field(default_factory=dict[str, tuple[bytes, ...]])

    def suspects(self, source: Source, value: bytes | None) -> bool:
        """Return whether a record may hold a dead credential; False at once while none is known."""
        names = self.known.bytes
        if not names or value is None:
            return False
        where = self._marks.get(source.kind)
        if where is None:
            where = self._marks[source.kind] = marks(source)
        return may_name(value, where, names)

    def messages(self, source: Source, event: Event, fault: Callable[[str], None]) -> list[Message]:
        """Return the findings of an event whose record was suspected; `fault` is told what failed."""
        try:
            found = self.known.findings(event, presented(source, event))
            return [finding_message(finding) for finding in found]
        except _FAULTS as error:
            fault(f"{RULE_ID}: {type(error).__name__}")
            return []
