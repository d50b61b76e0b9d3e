"""Names of access lines' fields: W3C's, which rules of `category: webserver` and `proxy` use, and ECS.

Sources: Sigma taxonomy appendix 2.1 (webserver, proxy); ECS 9. Public rules of both categories ask
`cs-uri-query` and `c-uri-query` for the path as often as for the query, so both are there, each by itself.
Nothing that Envoy logs answers `cs-username`, `s-sitename`, `s-computername`, `c-win32-status`, `date`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connectors.sources import ztunnel
from connectors.sources.field_names import (
    FieldNames,
    extension,
    first,
    ip_in,
    outcome,
    port_in,
    query,
    stem,
)
from connectors.sources.istio_mesh import direction, hostname, service_account, service_account_of
from connectors.sources.istio_outcome import outcome_of
from connectors.sources.istio_peer import connected
from connectors.sources.untrusted import text_at
from detectors.event import Fields, Json
from detectors.sigma.path import MISSING, Derived, Found, Lookup

_INTERNAL: Final = "envoy://"
_SCHEMES: Final = ("http", "https")
_SIDES: Final = {"inbound": "ingress", "outbound": "egress"}
_W3C: Final[Mapping[str, str]] = {
    "cs-bytes": "bytes_received",
    "cs-cookie": "cookie",
    "cs-method": "method",
    "cs-referer": "referer",
    "cs-referrer": "referer",
    "cs-version": "protocol",
    "sc-bytes": "bytes_sent",
    "sc-status": "response_code",
    "time": "start_time",
    "time-taken": "duration",
}
_ECS: Final[Mapping[str, str]] = {
    "http.request.id": "request_id",
    "http.request.method": "method",
    "http.request.referrer": "referer",
    "source.bytes": "bytes_received",
    "destination.bytes": "bytes_sent",
    "tls.cipher": "downstream_tls_cipher",
    "tls.client.server_name": "requested_server_name",
    "url.original": "path",
}


def field_names() -> FieldNames:
    """Return the aliases of access lines, of Envoy and of ztunnel; `istio.access.NAME` is the own NAME."""
    uri = Derived("path", "uri", _uri)
    asked = Derived("path", "path and query", _path_and_query)
    agent = Derived("user_agent", "or empty", _agent)
    host = Derived("authority", "host", lambda fields: hostname(text_at(fields, "authority")) or MISSING)
    own, far = _end("source", _source), _end("destination", _destination)
    derived: dict[str, str] = {
        **dict.fromkeys(("c-uri", "cs-uri"), uri),
        **dict.fromkeys(("c-uri-query", "cs-uri-query"), asked),
        **dict.fromkeys(("c-uri-stem", "cs-uri-stem", "url.path"), stem("path")),
        **dict.fromkeys(("c-useragent", "cs-user-agent", "cs-useragent"), agent),
        **dict.fromkeys(("cs-host", "r-dns", "url.domain"), host),
        **dict.fromkeys(("c-ip", "src_ip", "source.ip"), own["ip"]),
        **dict.fromkeys(("c-port", "src_port", "source.port"), own["port"]),
        **dict.fromkeys(("dst_ip", "s-ip", "destination.ip"), far["ip"]),
        **dict.fromkeys(("dst_port", "s-port", "destination.port"), far["port"]),
        **dict.fromkeys(("c-uri-extension", "cs-uri-extension", "url.extension"), extension("path")),
        "@timestamp": first("start_time", "time"),
        "event.action": Derived("method", "or connection", _action),
        "event.outcome": outcome(_ended),
        "http.request.body.bytes": _of_http("bytes_received"),
        "http.response.body.bytes": _of_http("bytes_sent"),
        "http.response.status_code": _of_http("response_code"),
        "http.version": Derived("protocol", "version", _version),
        "network.direction": Derived("upstream_cluster", "direction", _direction),
        "url.port": Derived("authority", "port", lambda fields: port_in(fields.get("authority", MISSING))),
        "url.query": query("path"),
        "user.name": Derived("downstream_peer_uri_san", "account", _caller),
        "user_agent.original": "user_agent",
    }
    return FieldNames({**_W3C, **_ECS, **derived}, {"istio.access.": "", "istio.ztunnel.": ""})


def _end(name: str, text: Lookup) -> dict[str, Derived]:
    """Return the paths of address and port of one end of a call."""
    return {
        "ip": Derived(name, "ip", lambda fields: ip_in(text(fields))),
        "port": Derived(name, "port", lambda fields: port_in(text(fields))),
    }


def _of_http(key: str) -> Derived:
    """Return the path of a number that a TCP connection has as well, but then not of HTTP; no code is 0."""

    def read(fields: Fields) -> Found:
        said = fields.get(key, MISSING)
        return MISSING if not fields.get("method") or (key == "response_code" and said == 0) else said

    return Derived(key, "http", read)


def _source(fields: Fields) -> Found:
    """Return who made the connection; an address that only a header states is none."""
    said = text_at(fields, "src", "addr") if ztunnel.is_ztunnel(fields) else connected(fields)
    return said or MISSING


def _destination(fields: Fields) -> Found:
    if ztunnel.is_ztunnel(fields):
        return text_at(fields, "dst", "hbone_addr") or text_at(fields, "dst", "addr") or MISSING
    host = text_at(fields, "upstream_host") or ""
    if host.startswith(_INTERNAL):
        host = host.removeprefix(_INTERNAL).partition("/")[2]
    return host or text_at(fields, "downstream_local_address") or MISSING


def _uri(fields: Fields) -> Found:
    """Return the request target as it is logged, and the whole URL: with both schemes, if none is known."""
    target, authority = text_at(fields, "path"), text_at(fields, "authority")
    if not target:
        return authority or MISSING
    if not authority or target.partition("://")[0].lower() in _SCHEMES:
        return target
    said = (text_at(fields, "scheme") or text_at(fields, "x_forwarded_proto") or "").lower()
    schemes = (said,) if said in _SCHEMES else _SCHEMES
    return [target, *(f"{scheme}://{authority}{target}" for scheme in schemes)]


def _path_and_query(fields: Fields) -> Found:
    target = text_at(fields, "path")
    if not target:
        return MISSING
    asked = target.partition("?")[2]
    both: list[Json] = [target, asked]
    return both if asked else target


def _agent(fields: Fields) -> Found:
    """Return the user agent; Envoy writes one that is empty or missing as `-`, which proxies log as empty."""
    said = fields.get("user_agent", MISSING)
    return "" if said is None and fields.get("method") else said


def _version(fields: Fields) -> Found:
    return (text_at(fields, "protocol") or "").partition("/")[2] or MISSING


def _direction(fields: Fields) -> Found:
    side = text_at(fields, "direction") if ztunnel.is_ztunnel(fields) else direction(fields)
    return _SIDES.get(side or "", MISSING)


def _caller(fields: Fields) -> Found:
    if ztunnel.is_ztunnel(fields):
        return service_account_of(text_at(fields, "src", "identity")) or MISSING
    return service_account(fields, "downstream_peer_uri_san") or MISSING


def _action(fields: Fields) -> Found:
    return text_at(fields, "method") or "connection"


def _ended(fields: Mapping[str, Any]) -> Json:
    return ztunnel.outcome_of(fields) if ztunnel.is_ztunnel(fields) else outcome_of(fields)
