"""What each source file implements: recognise, parse, say what is in it, map it to ECS."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Protocol

from detectors.event import Event, Json, Locator, SourceProfile

NOWHERE: Final[Mapping[str, str]] = MappingProxyType({})
"""The origin of an event whose envelope says nothing about where it came from."""


class Source(SourceProfile, Protocol):
    """One source kind; a stateless object, the same for every thread and process."""

    def recognise(self, value: Json) -> bool:
        """Return whether `value` looks like one event of this source (cheap, no exception)."""
        ...

    def recognise_line(self, line: bytes) -> bool:
        """Return whether a line of plain text is one event of this source."""
        ...

    def parse(self, value: Any, locator: Locator, origin: Mapping[str, str] = NOWHERE) -> Event:
        """Return the event of a decoded object, or of a text line. Raises Reject, nothing else."""
        ...

    def ecs(self, event: Event) -> dict[str, Any]:
        """Return the ECS 9 document of `event`, redacted and bounded, without data_stream fields."""
        ...
