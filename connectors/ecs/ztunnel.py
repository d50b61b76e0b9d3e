"""ztunnel's access log (Istio ambient) in ECS: TCP connections with the identity of both ends.

Sent is what the source sent, received what it got, on either side's line (ztunnel `src/copy.rs`).
"""

from __future__ import annotations

import re
from typing import Any, Final

from connectors.ecs.head import distinct, endpoint, head, place, word
from connectors.ecs.moment import moment
from connectors.ecs.shown import shown
from connectors.sources.istio_mesh import hostname, service_account_of
from connectors.sources.untrusted import integer_at, object_at, text_at
from connectors.sources.ztunnel import denied
from detectors.event import Event

_DIRECTIONS: Final = {"inbound": "ingress", "outbound": "egress"}
_DURATION: Final = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)(ns|us|µs|ms|s)\Z")
_NANOSECONDS: Final = {"ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000}


def document(event: Event) -> dict[str, Any]:
    """Return the ECS document of an access line of ztunnel; its time is the connection's end."""
    fields, text = shown(event.fields)
    out, about = head(event, text, "istio", "istio.access_logs")
    opened = fields.get("message") == "connection opened"
    about["provider"] = "ztunnel"
    about["action"] = "connection"
    about["category"] = ["network"]
    about["type"] = ["connection", "start" if opened else "end"]
    if denied(fields):
        about["type"].append("denied")
    elif about["outcome"] != "failure":
        about["type"].append("allowed")
    duration = nanoseconds(fields.get("duration"))
    if duration is not None:
        about["duration"] = duration
        about["start"], about["end"] = moment(event.time - duration / 1e9), out["@timestamp"]
    error = word(fields.get("error"))
    if error:
        out["error"] = {"message": error}
    side = text_at(fields, "direction") or ""
    network: dict[str, Any] = {"transport": "tcp"}
    if side in _DIRECTIONS:
        network["direction"] = _DIRECTIONS[side]
    out["network"] = network
    _ends(fields, out, network)
    own = object_at(fields, "dst" if side == "inbound" else "src")
    _writer(own, out)
    out["istio"] = {"ztunnel": {key: value for key, value in fields.items() if value not in (None, {})}}
    if event.origin:
        place(out, event.origin)
    return out


def nanoseconds(text: Any) -> int | None:
    """Return the nanoseconds of a duration such as `12ms`, or None where it is none."""
    found = _DURATION.match(text) if isinstance(text, str) else None
    return round(float(found[1]) * _NANOSECONDS[found[2]]) if found else None


def _ends(fields: dict[str, Any], out: dict[str, Any], network: dict[str, Any]) -> None:
    source = endpoint(text_at(fields, "src", "addr"))
    destination = endpoint(text_at(fields, "dst", "hbone_addr") or text_at(fields, "dst", "addr"))
    tunnel = endpoint(text_at(fields, "dst", "addr"))
    service = word(hostname(text_at(fields, "dst", "service")))
    if service:
        destination["domain"] = service
    caller, peer = (word(service_account_of(text_at(fields, end, "identity"))) for end in ("src", "dst"))
    if caller:
        out["user"] = {"name": caller}
    if peer:
        destination["user"] = {"name": peer}
    counts = [integer_at(fields, key) for key in ("bytes_sent", "bytes_recv")]
    for part, count in zip((source, destination), counts, strict=True):
        if count is not None and 0 <= count < 1 << 62:
            part["bytes"] = count
    if "bytes" in source and "bytes" in destination:
        network["bytes"] = source["bytes"] + destination["bytes"]
    related = {
        "ip": distinct(source.get("ip"), destination.get("ip"), tunnel.get("ip")),
        "hosts": distinct(service),
        "user": distinct(caller, peer),
    }
    known = {name: values for name, values in related.items() if values}
    for name, part in (("source", source), ("destination", destination), ("related", known)):
        if part:
            out[name] = part


def _writer(own: dict[str, Any], out: dict[str, Any]) -> None:
    """The workload on whose node the line was written."""
    namespace, pod = word(own.get("namespace")), word(own.get("workload"))
    if namespace:
        known: dict[str, Any] = {"type": "kubernetes", "namespace": namespace}
        if pod:
            known["resource"] = {"type": "pods", "name": pod}
        out["orchestrator"] = known
