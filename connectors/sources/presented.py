"""The credential that an event's caller presented, also one that the service no longer knows.

A source says where it stands (`Presenting`). Records are searched for it as bytes, so that the many that hold
no dead credential cost a search and no decoding: their cost does not grow with the number of dead ones.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Protocol, runtime_checkable

from connectors.sources.untrusted import text_at
from detectors.event import Event

MAX_NAME: Final = 256


@runtime_checkable
class Presenting(Protocol):
    """A source whose events name the caller's credential; optional in the port.

    `presents` are the keys that lead to it in an event. A name is plain ASCII: no source escapes it.
    """

    presents: Sequence[tuple[str, ...]]


def presented(source: object, event: Event) -> Sequence[str]:
    """Return the names of the credential that the event's caller presented, each once."""
    if not isinstance(source, Presenting):
        return ()
    fields: Mapping[str, Any] = event.fields
    found = (text_at(fields, *path) for path in source.presents)
    return list(dict.fromkeys(name for name in found if name and len(name) <= MAX_NAME))


def marks(source: object) -> tuple[bytes, ...]:
    """Return what stands before such a name in a record's bytes: its key."""
    if not isinstance(source, Presenting):
        return ()
    return tuple(dict.fromkeys(f'"{path[-1]}"'.encode() for path in source.presents))


def may_name(value: bytes, where: Sequence[bytes], names: Collection[bytes]) -> bool:
    """Return whether a record may hold one of `names` behind one of the marks `where`. Linear in `value`."""
    find = value.find
    for mark in where:
        at = find(mark)
        while at >= 0:
            start = find(b'"', at + len(mark)) + 1
            end = find(b'"', start) if start else -1
            if end < 0:
                break
            if value[start:end] in names:
                return True
            at = find(mark, at + len(mark))
    return False
