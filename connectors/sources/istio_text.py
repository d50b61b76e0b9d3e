"""Istio's default TEXT access log format (1.9 and later), read into the keys of its JSON encoding.

Source: istio `pilot/pkg/model/telemetry_logging.go`. Paths, user agents and authorities are the
caller's and may hold quotes and spaces: what the proxy set is read from the line's two ends inwards.
"""

from __future__ import annotations

import re
from typing import Any, Final

from connectors.sources.reject import Reason, Reject

LINE_LIMIT: Final = 64 * 1024
INTEGERS: Final = ("response_code", "bytes_received", "bytes_sent", "duration", "upstream_service_time")
_START: Final = re.compile(rb"\s*\[\d{4}-\d\d-\d\dT")
_STATUS: Final = re.compile(r'" (\d{1,5}|-) (\S+) (\S+) (\S+) "')
_SIZES: Final = re.compile(r'" (\d{1,18}|-) (\d{1,18}|-) (\d{1,18}|-) (\d{1,18}|-) "')
_SPACED_TAIL: Final = (
    "upstream_cluster",
    "upstream_local_address",
    "downstream_local_address",
    "downstream_remote_address",
    "requested_server_name",
    "route_name",
)


def looks_like_line(line: bytes) -> bool:
    """Return whether `line` begins as an access log line does."""
    return _START.match(line) is not None


def parse_line(line: bytes) -> dict[str, Any]:
    """Return the line under the JSON encoding's keys; "-" is None, numbers are ints.

    Bytes that are not UTF-8 become U+FFFD: a caller's user agent must not hide its own line.
    Raises Reject: too_large (64 KiB), unknown_shape.
    """
    if len(line) > LINE_LIMIT:
        raise Reject(Reason.TOO_LARGE, f"an access log line of {len(line)} bytes")
    text = line.decode("utf-8", "replace").strip()
    time, opened, rest = text.partition('] "')
    status = _STATUS.search(rest)
    if not opened or not time.startswith("[") or status is None:
        raise Reject(Reason.UNKNOWN_SHAPE, "the line's head is not Istio's default format (1.9 and later)")
    sizes = _SIZES.search(rest, status.end())
    if sizes is None:
        raise Reject(Reason.UNKNOWN_SHAPE, "the line's byte counts are not where the default format has them")
    return {
        "start_time": time[1:],
        **_request(rest[: status.start()]),
        "response_code": _number(status[1]),
        "response_flags": _value(status[2]),
        "response_code_details": _value(status[3]),
        "connection_termination_details": _value(status[4]),
        "upstream_transport_failure_reason": _value(rest[status.end() : sizes.start()]),
        "bytes_received": _number(sizes[1]),
        "bytes_sent": _number(sizes[2]),
        "duration": _number(sizes[3]),
        "upstream_service_time": _number(sizes[4]),
        **_tail(rest[sizes.end() :]),
    }


def normalise(record: dict[str, Any]) -> None:
    """Make a JSON-encoded line equal to what its TEXT twin would give: "-" is None, numbers are ints."""
    if record.get("response_flags") == "-":
        record["response_flags"] = None
    if "-" in record.values():
        record.update(dict.fromkeys([name for name, value in record.items() if value == "-"]))
    for key in INTEGERS:
        value = record.get(key)
        if type(value) is str:
            record[key] = int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None


def _request(text: str) -> dict[str, Any]:
    if text == "- - -":
        return {"method": None, "path": None, "protocol": None}
    method, _, rest = text.partition(" ")
    path, _, protocol = rest.rpartition(" ")
    return {"method": _value(method), "path": _value(path), "protocol": _value(protocol)}


def _tail(text: str) -> dict[str, Any]:
    """Read from the right: the caller's texts stand to the left of what the proxy set."""
    parts = text.rsplit(" ", 6)
    quoted = parts[0].removesuffix('"').rsplit('" "', 3)
    if len(parts) != 7 or len(quoted) != 4 or '" "' not in quoted[0]:
        raise Reject(Reason.UNKNOWN_SHAPE, "the line's tail is not Istio's default format")
    forwarded, _, agent = quoted[0].partition('" "')
    caller = (forwarded, agent, *quoted[1:])
    names = ("x_forwarded_for", "user_agent", "request_id", "authority", "upstream_host")
    found: dict[str, Any] = dict(zip(names, map(_value, caller), strict=True))
    found.update(zip(_SPACED_TAIL, map(_value, parts[1:]), strict=True))
    return found


def _value(text: str) -> str | None:
    return None if text in {"-", ""} else text


def _number(text: str) -> int | None:
    return None if text == "-" else int(text)
