"""The shapes of decoded values: envelopes, their items, and what a value is when it is no event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connectors.sources.catalogue import SOURCES
from connectors.sources.reject import Reason, Reject
from connectors.sources.source import Source

_DIGEST: Final = frozenset({"digestStartTime", "digestS3Object"})
CONTROL_KEYS: Final = _DIGEST | {"messageType"}
"""One of these stands in every value that `is_control`."""


def items_of(value: Any) -> list[Any] | None:
    """Return what a CloudTrail file, an EventList or an array holds, else None."""
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        return None
    records = value.get("Records")
    if isinstance(records, list):
        return records
    items = value.get("items")
    kind = value.get("kind")
    if isinstance(items, list) and isinstance(kind, str) and kind.endswith("List"):
        return items
    return None


def is_control(value: Mapping[str, Any]) -> bool:
    """Return whether an object is a probe of the transport, or a CloudTrail digest file: no event."""
    return value.get("messageType") == "CONTROL_MESSAGE" or not _DIGEST.isdisjoint(value)


def explain(value: Any, source: Source) -> Reject:
    """Return why a readable value is no event of `source`."""
    if not isinstance(value, dict):
        return Reject(Reason.WRONG_TYPE, f"{type(value).__name__}, expected an object")
    if "s3" in value or ("s3Bucket" in value and "s3ObjectKey" in value) or _created(value):
        return Reject(Reason.POINTER, "names an S3 object, holds no event")
    for other in SOURCES.values():
        if other is not source and other.recognise(value):
            return Reject(Reason.WRONG_SOURCE, f"looks like {other.kind}, read as {source.kind}")
    return Reject(Reason.UNKNOWN_SHAPE, f"an object that is no event of {source.kind}")


def _created(value: dict[str, Any]) -> bool:
    """Whether this is what EventBridge says of a new S3 object."""
    return isinstance(value.get("bucket"), dict) and isinstance(value.get("object"), dict)
