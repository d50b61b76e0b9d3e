"""ztunnel's access log (Istio ambient), the only default log of Istio that names the peer's identity.

Text is tab-separated: time, level, `access`, message; then `key=value`, quoted or not. JSON has the same
keys.
A workload is the pod's name. Fields are named as in the log, `src.addr` as an object `src` with `addr`.
Source: istio/ztunnel `src/proxy/metrics.rs`, `src/telemetry.rs`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from connectors.sources.istio_mesh import hostname, service_account_of
from connectors.sources.reject import Reason, Reject
from connectors.sources.untrusted import address, clean, distinct, entity, integer_at, text_at
from detectors.event import Contact, Entity, Event, Outcome

LINE_LIMIT: Final = 64 * 1024
_LINE: Final = re.compile(
    rb"\s*\d{4}-\d\d-\d\dT[\d:.]{8,18}(?:Z|[+-]\d\d:\d\d)\s+"
    rb"(?:trace|debug|info|warn|error)\s+access\s+connection "
)
_HEAD: Final = re.compile(r"(\S+)\s+(\w+)\s+access\s+(connection \w+)\s*")
_KEYS: Final = r"(?:src|dst)\.[a-z_]{1,32}|direction|bytes_sent|bytes_recv|duration|error"
_PAIR: Final = re.compile(
    rf'(?<!\S)({_KEYS})=(?:"([^"\\]*(?:\\.[^"\\]*)*)"(?=\s|\Z)|(\S*|.*?)(?=\s(?:{_KEYS})=|\Z))',
    re.DOTALL,
)
_ESCAPED: Final = re.compile(r'\\(["\\nrt])')
_ESCAPES: Final = MappingProxyType({'"': '"', "\\": "\\", "n": "\n", "r": "\r", "t": "\t"})
_NUMBERS: Final = frozenset({"bytes_sent", "bytes_recv"})
_SIDES: Final = ("src", "dst")
_POLICY: Final = "policy rejection"


def is_line(line: bytes) -> bool:
    """Return whether `line` begins as an access line of ztunnel does."""
    return _LINE.match(line) is not None


def is_record(value: Mapping[str, Any]) -> bool:
    """Return whether `value` is an access line of ztunnel in JSON."""
    return value.get("scope") == "access" and ("src.addr" in value or isinstance(value.get("src"), dict))


def is_ztunnel(fields: Mapping[str, Any]) -> bool:
    """Return whether the typed fields of an event are those of ztunnel."""
    return fields.get("scope") == "access" and isinstance(fields.get("src"), dict)


def parse_line(line: bytes) -> dict[str, Any]:
    """Return the fields of a text line. A key that stands twice keeps its first value.

    Raises Reject: too_large (64 KiB), unknown_shape.
    """
    if len(line) > LINE_LIMIT:
        raise Reject(Reason.TOO_LARGE, f"an access log line of {len(line)} bytes")
    text = line.decode("utf-8", "replace").strip()
    head = _HEAD.match(text)
    if head is None:
        raise Reject(Reason.UNKNOWN_SHAPE, "an access line of ztunnel without its head")
    flat: dict[str, Any] = {"time": head[1], "level": head[2], "scope": "access", "message": head[3]}
    for found in _PAIR.finditer(text, head.end()):
        quoted = found[2]
        flat.setdefault(found[1], found[3].strip('"') if quoted is None else _ESCAPED.sub(_unescaped, quoted))
    return nested(flat)


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record with `src` and `dst` as objects, counts as ints, "-" and "" left out."""
    fields: dict[str, Any] = {"src": {}, "dst": {}}
    for key, value in flat.items():
        if value in ("-", "", None):
            continue
        side, dot, name = key.partition(".")
        if key in _SIDES and isinstance(value, dict):
            fields[key] = {**value, **fields[key]}
        elif dot and side in _SIDES:
            fields[side].setdefault(name, value)
        elif key not in _SIDES:
            fields[key] = _number(value) if key in _NUMBERS else value
    return fields


def entities(event: Event) -> Sequence[Entity]:
    """Return the caller (service account, pod, address), then what it reached."""
    fields = event.fields
    callers = _callers(fields)
    targets = _targets(fields)
    found = distinct([*callers, *targets])
    if callers and targets:
        found.append(entity("edge", f"{callers[0].id} -> {targets[0].id}", "target"))
    return found


def outcome(event: Event) -> Outcome:
    """Return `outcome_of` the event's fields."""
    return outcome_of(event.fields)


def outcome_of(fields: Mapping[str, Any]) -> Outcome:
    """Return failure on an error, unknown while the connection is open."""
    if fields.get("error") or fields.get("message") == "connection failed":
        return "failure"
    return "unknown" if fields.get("message") == "connection opened" else "success"


def denied(fields: Mapping[str, Any]) -> bool:
    """Return whether an authorization policy rejected the connection."""
    return _POLICY in (text_at(fields, "error") or "")


def summary(event: Event) -> str:
    """Return who connected to what, and how it ended."""
    fields = event.fields
    callers, targets = _callers(fields), _targets(fields)
    who = f"{callers[0].type} {clean(callers[0].id)}" if callers else "an unknown caller"
    what = clean(targets[0].id) if targets else "an unknown destination"
    error = text_at(fields, "error")
    ending = (
        " and was denied by policy" if denied(fields) else f" and failed: {clean(error)}" if error else ""
    )
    return f"{who} made a connection to {what}{ending}"


def contacts(event: Event) -> Sequence[Contact]:
    """Return the edge of a client-side line whose connection came about; bytes_out is what the caller sent.

    `outside`: ztunnel knows neither a service nor a workload behind the destination.
    """
    fields = event.fields
    if fields.get("direction") != "outbound" or fields.get("message") != "connection complete":
        return ()
    if denied(fields) or (fields.get("error") and not integer_at(fields, "bytes_recv")):
        return ()
    callers, targets = _callers(fields), _targets(fields)
    if not callers or not targets:
        return ()
    known = text_at(fields, "dst", "service") or text_at(fields, "dst", "workload")
    sent = max(0, integer_at(fields, "bytes_sent") or 0)
    return (Contact("mesh_edge", callers[0][:2], targets[0][:2], sent, not known),)


def _callers(fields: Mapping[str, Any]) -> list[Entity]:
    found: list[Entity] = []
    account = service_account_of(text_at(fields, "src", "identity"))
    if account:
        found.append(entity("service_account", account, "actor"))
    pod = _pod(fields, "src")
    if pod:
        found.append(entity("pod", pod, "actor"))
    ip = address(text_at(fields, "src", "addr"))
    return [*found, Entity("address", ip, "source")] if ip else found


def _targets(fields: Mapping[str, Any]) -> list[Entity]:
    """The service, else the address that was really meant (that inside HBONE); then the pod."""
    name = hostname(text_at(fields, "dst", "service"))
    name = name or hostname(text_at(fields, "dst", "hbone_addr") or text_at(fields, "dst", "addr"))
    found = [entity("host", name, "target")] if name else []
    pod = _pod(fields, "dst")
    return [*found, entity("pod", pod, "target")] if pod else found


def _pod(fields: Mapping[str, Any], side: str) -> str | None:
    namespace, name = text_at(fields, side, "namespace"), text_at(fields, side, "workload")
    return f"{namespace}/{name}" if namespace and name else None


def _unescaped(found: re.Match[str]) -> str:
    return _ESCAPES[found[1]]


def _number(value: Any) -> Any:
    digits = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19
    return int(value) if digits else value
