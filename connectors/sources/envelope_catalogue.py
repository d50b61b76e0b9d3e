"""The envelopes that are JSON objects or lists, asked in turn. Adding one: its function, one line below."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from connectors.sources.envelope_aws import event_bridge, lambda_logs, lookup, notification, subscription
from connectors.sources.envelope_azure import diagnostic, records
from connectors.sources.envelope_log_shipper import shipped
from connectors.sources.envelope_otlp import export
from connectors.sources.layer import Layer, wrong
from connectors.sources.shape import items_of

Opener = Callable[[dict[str, Any]], Iterable[Layer] | None]
OPENERS: Final[tuple[Opener, ...]] = (
    subscription,
    lambda_logs,
    event_bridge,
    notification,
    lookup,
    records,
    diagnostic,
    export,
    shipped,
)


def opened(value: Any) -> Iterable[Layer] | None:
    """Return what the envelope `value` holds, or None when it is no envelope."""
    items = items_of(value)
    if items is not None:
        return (Layer(wrong(i, "an item", "an object") if isinstance(i, str) else i) for i in items)
    if not isinstance(value, dict):
        return None
    for opener in OPENERS:
        layers = opener(value)
        if layers is not None:
            return layers
    return None
