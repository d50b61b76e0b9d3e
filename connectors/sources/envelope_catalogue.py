"""The envelopes that are JSON objects or lists, asked in turn. Adding one: its function, one line below."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from connectors.sources.decoding import SHORTEST
from connectors.sources.envelope_aws import event_bridge, lambda_logs, lookup, notification, subscription
from connectors.sources.envelope_azure import diagnostic, records
from connectors.sources.envelope_log_shipper import shipped
from connectors.sources.envelope_otlp import export
from connectors.sources.layer import Layer, Rows, wrong
from connectors.sources.shape import CONTROL_KEYS, items_of

Opener = Callable[[dict[str, Any]], Iterable[Layer] | Rows | None]
OPENERS: Final[tuple[tuple[str, Opener], ...]] = (
    ("logEvents", subscription),
    ("awslogs", lambda_logs),
    ("detail-type", event_bridge),
    ("Message", notification),
    ("CloudTrailEvent", lookup),
    ("Events", lookup),
    ("records", records),
    ("properties", diagnostic),
    ("resourceLogs", export),
    ("log", shipped),
    ("message", shipped),
)
"""A key that the envelope has, and the function that opens it or says that it is another."""
_KEYS: Final = frozenset({"Records", "items", *(key for key, _ in OPENERS)})
_ALONE: Final = _KEYS | {"data", "scopeLogs", "logRecords", "body", "attributes", "messageType"}
"""The keys that may stand alone in an envelope or in one of its rows."""
_NUMBERS: Final = frozenset({int, float, bool})
_FEW: Final = 4


def opened(value: Any) -> Iterable[Layer] | Rows | None:
    """Return what the envelope `value` holds, or None when it is no envelope."""
    if isinstance(value, dict) and _KEYS.isdisjoint(value):
        return None
    items = items_of(value)
    if items is not None:
        return Rows(items, item_layer)
    if not isinstance(value, dict):
        return None
    for key, opener in OPENERS:
        layers = opener(value) if key in value else None
        if layers is not None:
            return layers
    return None


def item_layer(item: Any) -> Layer:
    """Return an item of a file, list or array as a layer: a text in it is no event."""
    return Layer(wrong(item, "an item", "an object") if isinstance(item, str) else item)


def hopeless(item: Any) -> bool:
    """Return whether an item of an envelope is no event at first sight, and nothing that holds one.

    That is what is empty, a number, a short text, an object with one key that no envelope has or with few
    numbers and nothing else, few of these.
    """
    while type(item) is list and len(item) == 1:
        item = item[0]
    if type(item) in _NUMBERS or not item:
        return True
    if isinstance(item, dict):
        if len(item) == 1:
            return _ALONE.isdisjoint(item)
        numbers = len(item) <= _FEW and _NUMBERS.issuperset(map(type, item.values()))
        return numbers and CONTROL_KEYS.isdisjoint(item)
    if isinstance(item, str):
        return len(item) < SHORTEST
    return len(item) <= _FEW and all(map(hopeless, item))
