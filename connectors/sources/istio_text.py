"""Istio's own TEXT access log formats, read into the keys of its JSON encoding.

Source: istio `pilot/pkg/model/telemetry_logging.go` (1.9 and later), its predecessors in
`pilot/pkg/networking/core`, and Envoy's default format.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from connectors.sources.istio_format import TextFormat, number_of, read_line
from connectors.sources.reject import Reason, Reject

LINE_LIMIT: Final = 64 * 1024
NUMBERS: Final = ("response_code", "bytes_received", "bytes_sent", "duration")
_START: Final = re.compile(rb"\s*\[\d{4}-\d\d-\d\dT")
_HEAD: Final = (
    '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" '
    "%RESPONSE_CODE% %RESPONSE_FLAGS% "
)
_MIDDLE: Final = (
    "%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "
    '"%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"'
)
_TAIL: Final = (
    " %UPSTREAM_CLUSTER% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% "
    "%DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME%"
)
_FAILURE: Final = '"%UPSTREAM_TRANSPORT_FAILURE_REASON%" '
_POLICY: Final = '"%DYNAMIC_METADATA(istio.mixer:status)%" '
_DETAILS: Final = "%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "
_TEXTS: Final = (
    _HEAD + _DETAILS + _FAILURE + _MIDDLE + _TAIL + " %ROUTE_NAME%",
    _HEAD + _POLICY + _FAILURE + _MIDDLE + _TAIL + " %ROUTE_NAME%",
    _HEAD + _POLICY + _FAILURE + _MIDDLE + _TAIL,
    _HEAD + _POLICY + _MIDDLE + _TAIL + " %ROUTE_NAME%",
    _HEAD + _POLICY + _MIDDLE + _TAIL,
    _HEAD + _MIDDLE,
)


@cache
def own_formats() -> tuple[TextFormat, ...]:
    """Istio 1.9 and later, 1.4 to 1.8, earlier ones with one or two quoted reasons, Envoy's default."""
    return tuple(TextFormat(text) for text in _TEXTS)


def looks_like_line(line: bytes) -> bool:
    """Return whether `line` begins as an access log line of Istio's own formats does."""
    return _START.match(line) is not None


def parse_line(line: bytes, formats: Sequence[TextFormat] = ()) -> dict[str, Any]:
    """Return the line under the JSON encoding's keys; "-" and "" are None, numbers are ints.

    `formats` are tried before Istio's own. Bytes that are not UTF-8 become U+FFFD: a caller's user agent
    must not hide its own line. Empty values at a line's end (`omitEmptyValues`) are spaces, which
    shippers strip. Raises Reject: too_large (64 KiB), unknown_shape.
    """
    if len(line) > LINE_LIMIT:
        raise Reject(Reason.TOO_LARGE, f"an access log line of {len(line)} bytes")
    text = line.decode("utf-8", "replace").strip()
    known = (*formats, *own_formats()) if formats else own_formats()
    found = read_line(text, known) or _stripped(text, known)
    if found is None:
        raise Reject(Reason.UNKNOWN_SHAPE, "an access log line of no known format")
    return found


def _stripped(text: str, known: Sequence[TextFormat]) -> dict[str, Any] | None:
    for lost in (" ", "  "):
        for format_ in known:
            found = format_.usual(text + lost)
            if found is not None:
                return found
    return None


def normalise(record: dict[str, Any]) -> None:
    """Make a JSON-encoded line equal to what its TEXT twin would give: "-" is None, numbers are ints."""
    if record.get("response_flags") == "-":
        record["response_flags"] = None
    if "-" in record.values():
        record.update(dict.fromkeys([name for name, value in record.items() if value == "-"]))
    get = record.get
    served = get("upstream_service_time")
    if type(served) is str:
        record["upstream_service_time"] = number_of(served)
    if (
        type(get("response_code")) is str
        or type(get("bytes_received")) is str
        or type(get("bytes_sent")) is str
        or type(get("duration")) is str
    ):
        record.update({key: number_of(record[key]) for key in NUMBERS if isinstance(get(key), str)})
