"""What an envelope holds: payloads still to be read, and where the envelope says that they come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from connectors.sources.reject import Reason, Reject
from connectors.sources.source import NOWHERE
from connectors.sources.untrusted import ID_LIMIT, clean

_GROUPS: Final = (("account", "region"), ("cluster",), ("namespace", "workload", "pod", "node"))


class Packed(NamedTuple):
    """Text that is base64, of gzip or of plain text."""

    text: str


class Partial(NamedTuple):
    """The beginning of a container's line whose end is not in the record."""

    text: bytes


class Layer(NamedTuple):
    """One payload: an object or a list, text or bytes to read again, `Packed`, `Partial`, or a Reject.

    `time` is what the envelope states for the line, as it stands there; `moment.stated` reads it. It dates a
    line that was cut before its own time.
    """

    payload: Any
    origin: Mapping[str, str] = NOWHERE
    time: Any = None


class Rows(NamedTuple):
    """The items of an envelope, each made a payload by `read` only when its turn comes.

    An object with none of the keys in `needs` is no such item (no keys: any object may be one).
    """

    items: list[Any]
    read: Callable[[Any], Layer]
    needs: frozenset[str] = frozenset()

    def hold_nothing_in(self, item: Any) -> bool:
        """Return whether `item` lacks the keys that an item has."""
        return bool(self.needs) and isinstance(item, dict) and self.needs.isdisjoint(item)


def content(value: Any, name: str) -> Any:
    """Return `value` as a payload when it is text, an object or a list, else the Reject that says so."""
    if isinstance(value, (str, dict, list)):
        return value
    return wrong(value, name, "text or an object")


def wrong(value: Any, name: str, expected: str) -> Reject:
    """Return the Reject for the value of key `name` (a name of ours, never the input's)."""
    return Reject(Reason.WRONG_TYPE, f"{name} is {type(value).__name__}, expected {expected}")


def stated(**told: Any) -> dict[str, str]:
    """Return an origin of the values that are non-empty text, each printable and at most 256 characters."""
    return {key: clean(text, ID_LIMIT) for key, text in told.items() if isinstance(text, str) and text}


def within(outer: Mapping[str, str], inner: Mapping[str, str]) -> Mapping[str, str]:
    """Return the origin of a payload: the outer envelope wins over what lies inside it.

    Whoever writes a log line can write an envelope into it. So an inner envelope adds only whole groups
    of which the outer says nothing: account and region; cluster; namespace, workload, pod and node.
    """
    if not inner:
        return outer
    if not outer:
        return inner
    merged = dict(outer)
    for group in _GROUPS:
        if not any(key in outer for key in group):
            merged.update((key, inner[key]) for key in group if key in inner)
    return merged
