"""Istio access logs in ECS. Received is the request's body, sent the response's (Envoy's definition)."""

from __future__ import annotations

from typing import Any

from connectors.ecs.document import of_event
from connectors.ecs.shown import shown
from connectors.sources.istio_mesh import direction, hostname, service_account
from connectors.sources.untrusted import integer_at, text_at
from detectors.event import Event


def document(event: Event) -> dict[str, Any]:
    """Return the ECS document of an access log line."""
    fields, text = shown(event.fields)
    ecs = of_event(event, fields, "istio.access_logs", "istio", text)
    method, path = text_at(fields, "method"), text_at(fields, "path")
    code = integer_at(fields, "response_code")
    duration = integer_at(fields, "duration")
    version = (text_at(fields, "protocol") or "").partition("/")[2]
    authority = hostname(text_at(fields, "authority"))
    caller = service_account(fields, "downstream_peer_uri_san")
    refused = event.profile.outcome(event) == "failure"
    ecs.put_all(
        (
            ("event.provider", "envoy"),
            ("event.action", method or "connection"),
            ("event.category", ["web", "network"] if method else ["network"]),
            ("event.type", ["connection", "denied" if refused else "allowed"]),
            ("event.duration", duration * 1_000_000 if duration is not None and duration < 1 << 40 else None),
            ("network.direction", _DIRECTIONS[direction(fields)]),
            ("network.protocol", "http" if method else None),
            ("user.name", caller),
            ("user_agent.original", text_at(fields, "user_agent")),
            ("http.request.method", method),
            ("http.request.id", text_at(fields, "request_id")),
            ("http.version", version),
            ("http.request.body.bytes", integer_at(fields, "bytes_received") if method else None),
            ("http.response.body.bytes", integer_at(fields, "bytes_sent") if method else None),
            ("source.bytes", integer_at(fields, "bytes_received")),
            ("destination.bytes", integer_at(fields, "bytes_sent")),
            ("http.response.status_code", code if method and code and code < 1000 else None),
            ("url.original", path),
            ("url.path", path.partition("?")[0] if path else None),
            ("url.query", path.partition("?")[2] if path else None),
            ("url.domain", authority),
            ("tls.client.server_name", text_at(fields, "requested_server_name")),
            ("orchestrator.namespace", event.origin.get("namespace") or text_at(fields, "namespace")),
            ("service.name", event.origin.get("workload") or text_at(fields, "workload")),
        )
    )
    if refused:
        details = text_at(fields, "response_code_details")
        ended = text_at(fields, "connection_termination_details")
        ecs.put("error.message", text_at(fields, "upstream_transport_failure_reason") or ended or details)
    ecs.endpoint("source", text_at(fields, "downstream_remote_address"))
    ecs.endpoint("destination", text_at(fields, "upstream_host"))
    for key in ("downstream_local_address", "upstream_local_address"):
        ecs.related("ip", text_at(fields, key))
    ecs.related("hosts", authority)
    ecs.related("user", caller)
    ecs.put("istio.access", {key: value for key, value in fields.items() if value is not None})
    return ecs.finish()


_DIRECTIONS = {"inbound": "ingress", "outbound": "egress", "": None}
