"""OpenTelemetry logs in OTLP JSON: resource, scope and log records, and their typed values."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from connectors.sources.istio_text import looks_like_line
from connectors.sources.kubernetes_place import resource
from connectors.sources.layer import Layer, Packed, Rows, content, wrong
from connectors.sources.reject import Reason, Reject
from connectors.sources.source import NOWHERE
from connectors.sources.untrusted import list_at, object_at

_LINE_HEAD: Final = 64
_INTEGER: Final = re.compile(r"-?[0-9]{1,19}\Z")


def export(value: dict[str, Any]) -> Iterable[Layer] | Rows | None:
    """`resourceLogs[].scopeLogs[].logRecords[]`: each record's body, else its attributes."""
    if "resourceLogs" not in value:
        return None
    groups = value["resourceLogs"]
    if not isinstance(groups, list):
        return [Layer(wrong(groups, "resourceLogs", "a list"))]
    return Rows(groups, _group, frozenset({"scopeLogs"}))


def _group(group: Any) -> Layer:
    if not isinstance(group, dict):
        return Layer(wrong(group, "resourceLogs[]", "an object"))
    scopes = group.get("scopeLogs")
    if not isinstance(scopes, list):
        return Layer(wrong(scopes, "scopeLogs", "a list"))
    return Layer(
        Rows(scopes, _scope, frozenset({"logRecords"})),
        _origin(group) if scopes and "resource" in group else NOWHERE,
    )


def _origin(group: dict[str, Any]) -> Mapping[str, str]:
    try:
        return resource(members(list_at(group, "resource", "attributes")))
    except Reject:
        return NOWHERE


def _scope(scope: Any) -> Layer:
    rows = scope.get("logRecords") if isinstance(scope, dict) else None
    if not isinstance(rows, list):
        return Layer(wrong(rows, "logRecords", "a list"))
    return Layer(Rows(rows, _record_layer, frozenset({"body", "attributes"})))


def _record_layer(row: Any) -> Layer:
    return Layer(_record(row), time=row.get("timeUnixNano") if isinstance(row, dict) else None)


def _record(row: Any) -> Any:
    """The payload of one log record.

    Istio's own exporter may put the fields into the attributes, or labels beside a TEXT line.
    """
    if not isinstance(row, dict):
        return wrong(row, "logRecords[]", "an object")
    if not row.get("body") and not row.get("attributes"):
        return None
    body = object_at(row, "body")
    if "bytesValue" in body:
        packed = body["bytesValue"]
        return Packed(packed) if isinstance(packed, str) else wrong(packed, "bytesValue", "base64 text")
    try:
        said = plain(row.get("body", {}))
        fields = {} if isinstance(said, dict | list) else members(row.get("attributes", []))
        if fields and (not said or "start_time" in fields):
            return fields
        if fields and isinstance(said, str) and looks_like_line(said[:_LINE_HEAD].encode("utf-8", "replace")):
            return {"body": said, "attributes": fields}
        return content(said, "body")
    except Reject as reject:
        return reject


def members(pairs: Any) -> dict[str, Any]:
    """Return `[{key, value}]` as an object. Raises Reject."""
    if not isinstance(pairs, list):
        raise wrong(pairs, "attributes", "a list")
    found: dict[str, Any] = {}
    for pair in pairs:
        if not isinstance(pair, dict) or not isinstance(pair.get("key"), str):
            raise Reject(Reason.WRONG_TYPE, "an attribute is an object with a key")
        found[pair["key"]] = plain(pair.get("value", {}))
    return found


def plain(value: Any) -> Any:
    """Return an AnyValue as the JSON value that it stands for. Raises Reject."""
    if not isinstance(value, dict):
        raise wrong(value, "an OTLP value", "an object")
    for kind, said in value.items():
        if kind in {"stringValue", "bytesValue"} and isinstance(said, str):
            return said
        if kind == "boolValue" and isinstance(said, bool):
            return said
        if kind == "intValue":
            return _integer(said)
        if kind == "doubleValue":
            return _double(said)
        if kind == "arrayValue":
            return [plain(item) for item in list_at(said, "values")]
        if kind == "kvlistValue":
            return members(list_at(said, "values"))
        raise Reject(Reason.WRONG_TYPE, "an OTLP value of an unknown or wrong type")
    return None


def _integer(said: Any) -> int:
    if isinstance(said, int) and not isinstance(said, bool):
        return said
    if isinstance(said, str) and _INTEGER.match(said):
        return int(said)
    raise wrong(said, "intValue", "an integer of 64 bits")


def _double(said: Any) -> float:
    if isinstance(said, bool) or not isinstance(said, int | float):
        if said in ("NaN", "Infinity", "-Infinity"):
            raise Reject(Reason.NAN, "doubleValue is not finite")
        raise wrong(said, "doubleValue", "a number")
    if not math.isfinite(said):
        raise Reject(Reason.NAN, "doubleValue is not finite")
    return float(said)
