"""Envoy's command operators (`%RESPONSE_CODE%`, `%REQ(X-REQUEST-ID)%`) and the field that each one fills.

Source: Envoy, access log substitution formatter. Our names are the keys of Istio's JSON encoding.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

Shape = Literal["time", "number", "word", "text"]
"""A word holds no space; a text may hold anything, because a caller or a peer writes it."""
OPERATOR: Final = re.compile(r"%([A-Z][A-Z0-9_]*)(?:\(((?:[^()]|\([^()]{0,200}\)){0,400})\))?(?::\d{1,6})?%")


class Operator(NamedTuple):
    """What one operator fills. `argument` is the time format of START_TIME, else empty."""

    field: str
    shape: Shape
    argument: str = ""


_REQUEST: Final = MappingProxyType(
    {
        ":METHOD": Operator("method", "word"),
        ":PATH": Operator("path", "text"),
        "X-ENVOY-ORIGINAL-PATH": Operator("path", "text"),
        "X-FORWARDED-FOR": Operator("x_forwarded_for", "text"),
        "USER-AGENT": Operator("user_agent", "text"),
        "X-REQUEST-ID": Operator("request_id", "text"),
        ":AUTHORITY": Operator("authority", "text"),
        "HOST": Operator("authority", "text"),
    }
)
_ENVIRONMENT: Final = MappingProxyType(
    {"POD_NAME": "pod", "POD_NAMESPACE": "namespace", "ISTIO_META_WORKLOAD_NAME": "workload"}
)
_OTHER_NAMES: Final = MappingProxyType({"UPSTREAM_CLUSTER_RAW": "upstream_cluster"})
_NUMBERS: Final = (
    "RESPONSE_CODE BYTES_RECEIVED BYTES_SENT DURATION REQUEST_DURATION RESPONSE_DURATION REQUEST_TX_DURATION "
    "RESPONSE_TX_DURATION CONNECTION_ID UPSTREAM_REQUEST_ATTEMPT_COUNT UPSTREAM_WIRE_BYTES_SENT "
    "UPSTREAM_WIRE_BYTES_RECEIVED DOWNSTREAM_WIRE_BYTES_SENT DOWNSTREAM_WIRE_BYTES_RECEIVED "
    "DOWNSTREAM_REMOTE_PORT DOWNSTREAM_LOCAL_PORT UPSTREAM_REMOTE_PORT UPSTREAM_LOCAL_PORT"
)
_WORDS: Final = (
    "PROTOCOL UPSTREAM_PROTOCOL RESPONSE_FLAGS RESPONSE_FLAGS_LONG RESPONSE_CODE_DETAILS "
    "CONNECTION_TERMINATION_DETAILS UPSTREAM_HOST UPSTREAM_CLUSTER UPSTREAM_CLUSTER_RAW "
    "UPSTREAM_LOCAL_ADDRESS UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT UPSTREAM_REMOTE_ADDRESS "
    "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT DOWNSTREAM_LOCAL_ADDRESS DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT "
    "DOWNSTREAM_REMOTE_ADDRESS DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT DOWNSTREAM_DIRECT_REMOTE_ADDRESS "
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT REQUESTED_SERVER_NAME ROUTE_NAME "
    "DOWNSTREAM_PEER_URI_SAN DOWNSTREAM_LOCAL_URI_SAN UPSTREAM_PEER_URI_SAN UPSTREAM_LOCAL_URI_SAN "
    "DOWNSTREAM_TLS_VERSION DOWNSTREAM_TLS_CIPHER UPSTREAM_TLS_VERSION UPSTREAM_TLS_CIPHER "
    "DOWNSTREAM_TLS_SESSION_ID DOWNSTREAM_PEER_FINGERPRINT_256 DOWNSTREAM_PEER_SERIAL HOSTNAME"
)


def operator(name: str, argument: str | None) -> Operator:
    """Return what `%NAME(argument)%` fills; an unknown one fills a text of its own name, in lower case."""
    asked = argument or ""
    if name == "START_TIME":
        return Operator("start_time", "time", asked)
    if name in {"REQ", "REQ_WITHOUT_QUERY"}:
        header = asked.partition("?")[0].upper()
        return _REQUEST.get(header) or Operator(plain(header), "text")
    if name == "PATH":
        return Operator("path", "text")
    if name == "RESP" and asked.upper() == "X-ENVOY-UPSTREAM-SERVICE-TIME":
        return Operator("upstream_service_time", "number")
    if name == "ENVIRONMENT" and asked in _ENVIRONMENT:
        return Operator(_ENVIRONMENT[asked], "word")
    if name in _NUMBERS.split():
        return Operator(name.lower(), "number")
    if name in _WORDS.split():
        return Operator(_OTHER_NAMES.get(name, name.lower()), "word")
    return Operator(plain(f"{name}_{asked}" if asked else name), "text")


def plain(name: str) -> str:
    """Return `name` in lower case, everything but letters and digits as one underscore."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:64] or "unnamed"
