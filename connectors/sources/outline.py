"""The outline of an event: the few of its fields that counting it, its baselines and its aliases need.

A stream must account for every event: its id, its time, what it proves. A line that no rule can match is read
for that alone. What is said of it is what the whole event would say; whatever is not plainly so is left to
the full way: other types, envelopes, text that is not UTF-8. `outline_reader` reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol, TypeAlias, runtime_checkable

from detectors.event import Alias, EntityType

Edge: TypeAlias = tuple[str, tuple[EntityType, str], tuple[EntityType, str]]
"""Model, subject and peer of a contact."""
Glance: TypeAlias = tuple[str | None, float, Sequence[Alias], Edge | None, int]
"""What an event says of itself: its id (None: its place), its time in seconds (UTC), aliases, its one contact
and the bytes of that."""
_NO_CHANGES: Final[Mapping[str, Callable[[Any], Any]]] = MappingProxyType({})
_NOTHING: Final[frozenset[str]] = frozenset()


class Outline(NamedTuple):
    """How a source is read in outline.

    `fields` are the keys that lead to each value (MISSING where there is none), `glance` takes these values
    in their order and returns what the event says, or None for one that must be read in full. It may raise
    Reject. None of `absent` stands in such an event, all of `objects` do and are objects. `changes` is what
    `parse` makes of the value of a key ("" stands for every other key), for values that rules sort by.
    """

    fields: Sequence[tuple[str, ...]]
    glance: Callable[..., Glance | None]
    absent: frozenset[str] = _NOTHING
    objects: frozenset[str] = _NOTHING
    changes: Mapping[str, Callable[[Any], Any]] = _NO_CHANGES


@runtime_checkable
class Outlined(Protocol):
    """A source whose events can be read in outline; the method is optional in the port."""

    def outline(self) -> Outline | None:
        """Return how, or None where this source's configuration allows none."""
        ...
