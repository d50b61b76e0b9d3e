"""AWS envelopes: CloudWatch Logs, Lambda, Firehose, EventBridge, SNS, CloudTrail LookupEvents."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from connectors.sources.layer import Layer, Packed, Rows, content, stated, wrong
from connectors.sources.reject import Reason, Reject
from connectors.sources.untrusted import integer_at

_CLUSTER: Final = re.compile(r"/aws/(?:eks/([^/]{1,128})/cluster|containerinsights/([^/]{1,128})/[a-z-]+)\Z")
_LOG_ROW: Final = frozenset({"message"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_MS: Final = 7_258_118_400_000
_LOOKUP_ROW: Final = frozenset({"CloudTrailEvent"})


def subscription(value: dict[str, Any]) -> Iterable[Layer] | Rows | None:
    """CloudWatch Logs subscription: `logEvents[].message`; the log group names an EKS cluster."""
    if "logEvents" not in value or "logGroup" not in value:
        return None
    rows = value["logEvents"]
    if not isinstance(rows, list):
        return [Layer(wrong(rows, "logEvents", "a list"))]
    group = value["logGroup"]
    found = _CLUSTER.match(group) if isinstance(group, str) else None
    origin = stated(account=value.get("owner"), cluster=(found[1] or found[2]) if found else None)
    return Rows(
        rows, lambda row: Layer(_member(row, "logEvents[]", "message"), origin, _written(row)), _LOG_ROW
    )


def _written(row: Any) -> str | None:
    """The time of a row, `timestamp` in milliseconds since the epoch, as RFC 3339."""
    stamp = integer_at(row, "timestamp")
    if stamp is None or not 0 < stamp < _LATEST_MS:
        return None
    return f"{_EPOCH + timedelta(milliseconds=stamp):%Y-%m-%dT%H:%M:%S}.{stamp % 1000:03d}Z"


def lambda_logs(value: dict[str, Any]) -> Iterable[Layer] | None:
    """The Lambda event of a subscription: `awslogs.data`, base64 of gzip."""
    if "awslogs" not in value:
        return None
    return [Layer(packed(value["awslogs"], "awslogs"))]


def packed(item: Any, name: str) -> Any:
    """Return the base64 payload in `data` of `item`, or the Reject."""
    data = item.get("data") if isinstance(item, dict) else None
    return Packed(data) if isinstance(data, str) else wrong(data, f"{name}.data", "base64 text")


def event_bridge(value: dict[str, Any]) -> Iterable[Layer] | None:
    """EventBridge: `detail` is the event; account and region are those where it happened."""
    if "detail-type" not in value or "detail" not in value:
        return None
    detail = value["detail"]
    origin = stated(account=value.get("account"), region=value.get("region"))
    return [Layer(detail if isinstance(detail, dict) else wrong(detail, "detail", "an object"), origin)]


def notification(value: dict[str, Any]) -> Iterable[Layer] | None:
    """SNS notification: `Message` is text."""
    if value.get("Type") != "Notification" or "Message" not in value:
        return None
    return [Layer(_member(value, "notification", "Message"))]


def lookup(value: dict[str, Any]) -> Iterable[Layer] | Rows | None:
    """A row of CloudTrail LookupEvents (`CloudTrailEvent` is JSON text), or the answer with its `Events`."""
    if "CloudTrailEvent" in value:
        return [Layer(_member(value, "row", "CloudTrailEvent"))]
    rows = value.get("Events")
    if not isinstance(rows, list) or not any(isinstance(r, dict) and "CloudTrailEvent" in r for r in rows):
        return None
    return Rows(rows, lambda row: Layer(_member(row, "Events[]", "CloudTrailEvent")), _LOOKUP_ROW)


def _member(item: Any, name: str, key: str) -> Any:
    if not isinstance(item, dict):
        return wrong(item, name, "an object")
    if key not in item:
        return Reject(Reason.UNKNOWN_SHAPE, f"{name} without {key}")
    return content(item[key], f"{name}.{key}")
