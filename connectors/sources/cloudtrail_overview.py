"""CloudTrail records that speak of many calls: Insights and aggregated events, without a caller of their own.

An Insight (`insightDetails`) comes twice, at its Start and its End, with one sharedEventID. An aggregated
event (`timeWindow`, `summary`) counts minutes of data events; its id is `eventId`, its time the window's end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from connectors.sources.cloudtrail_caller import account
from connectors.sources.untrusted import clean, distinct, entity, integer_at, list_at, object_at, text_at
from detectors.event import Entity, EntityType

_SHOWN_LIMIT: Final = 8
_BUCKETS: Final = "arn:aws:s3:::"
_ERRORS: Final = "ApiErrorRateInsight"


def is_overview(fields: Mapping[str, Any]) -> bool:
    """Return whether a record is an Insight or an aggregated event."""
    return "insightDetails" in fields or ("timeWindow" in fields and "summary" in fields)


def time_of(fields: Mapping[str, Any]) -> tuple[Any, str]:
    """Return the event time's value and the field it stands in."""
    if "insightDetails" in fields:
        return fields.get("eventTime"), "eventTime"
    return object_at(fields, "timeWindow").get("windowEnd"), "timeWindow.windowEnd"


def named(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record with the service and the call that it counts as eventSource and eventName."""
    told = object_at(fields, "insightDetails")
    rows = list_at(fields, "summary", "primaryDimension", "statistics")
    dimension = text_at(fields, "summary", "primaryDimension", "dimension")
    call = text_at(rows[0], "name") if rows and dimension == "eventName" else None
    return {
        **fields,
        "eventSource": text_at(told, "eventSource") or text_at(fields, "eventSource") or "",
        "eventName": text_at(told, "eventName") or call or text_at(fields, "eventType") or "",
    }


def entities(fields: Mapping[str, Any]) -> list[Entity]:
    """Return the principals and buckets that the record counts, at most eight of each; else the account."""
    found: list[Entity] = []
    for dimension, name in _counted(fields):
        kind = _kind(dimension, name)
        if kind == "bucket":
            found.append(entity(kind, name.removeprefix(_BUCKETS).partition("/")[0], "target"))
        elif kind:
            found.append(entity(kind, name, "actor"))
    return distinct(found) or [entity("iam_principal", account(fields) or "an unnamed account", "target")]


def summary(fields: Mapping[str, Any]) -> str:
    """Return what was counted, by whom, and the account."""
    where = f"in account {clean(account(fields) or 'unknown')}"
    return f"{_insight(fields) if 'insightDetails' in fields else _aggregate(fields)} {where}"


def _insight(fields: Mapping[str, Any]) -> str:
    told = object_at(fields, "insightDetails")
    service = clean((text_at(told, "eventSource") or "a service").removesuffix(".amazonaws.com"))
    what = "errors" if told.get("insightType") == _ERRORS else "calls"
    error = text_at(told, "errorCode")
    ended = "ended" if told.get("state") == "End" else "began"
    by = [clean(name) for dimension, name in _counted(fields) if dimension == "userIdentityArn"]
    named = f"{service}:{clean(text_at(told, 'eventName') or 'an unnamed call')}"
    unusual = f"an unusual rate of {named} {what}{f' ({clean(error)})' if error else ''}"
    return f"{unusual}{f' by {by[0]}' if by else ''} {ended}"


def _aggregate(fields: Mapping[str, Any]) -> str:
    service = clean((text_at(fields, "eventSource") or "a service").removesuffix(".amazonaws.com"))
    rows = list_at(fields, "summary", "primaryDimension", "statistics")
    count = sum(integer_at(row, "value") or 0 for row in rows)
    first = text_at(rows[0], "name") if rows else None
    return f"{count} {service} data events{f', most of {clean(first)},' if first else ''}"


def _counted(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (dimension, value) of the attributions of an Insight, or of the statistics of an aggregate."""
    for group in list_at(fields, "insightDetails", "insightContext", "attributions")[:_SHOWN_LIMIT]:
        for row in list_at(group, "insight")[:_SHOWN_LIMIT]:
            yield text_at(group, "attribute") or "", text_at(row, "value") or ""
    told = object_at(fields, "summary")
    for group in (told.get("primaryDimension"), *list_at(told, "details")[:_SHOWN_LIMIT]):
        for row in list_at(group, "statistics")[:_SHOWN_LIMIT]:
            yield text_at(group, "dimension") or "", text_at(row, "name") or ""


def _kind(dimension: str, name: str) -> EntityType | None:
    if dimension in {"userIdentityArn", "userIdentity"} and name:
        return "iam_principal"
    return "bucket" if name.startswith(_BUCKETS) else None
