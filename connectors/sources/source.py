"""What each source file implements: recognise, parse, say what is in it, map it to ECS."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol, runtime_checkable

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


class Skeleton(NamedTuple):
    """What makes an object one event of a source: an event that no rule can match is not read further.

    Whatever holds `time` as RFC 3339 text from 1991 to 2198, `texts` as texts, `spelled` (where it is there)
    as one of the given texts and none of the keys in `absent` is an event that `parse` accepts, with that
    time and no contacts. `texts` maps a key to the fewest characters.
    """

    time: str
    texts: Mapping[str, int]
    spelled: Mapping[str, frozenset[str]] = MappingProxyType({})
    absent: frozenset[str] = frozenset()


@runtime_checkable
class PartlyReadable(Protocol):
    """A source whose events can be told from few of their fields; the method is optional in the port.

    A source whose every event feeds a baseline has none: nothing of its events may be skipped.
    """

    def skeleton(self) -> Skeleton:
        """Return what makes an object an event. Narrower than `parse` is right, wider is a fault."""
        ...
