"""Istio access logs: of sidecars, gateways and waypoints (Envoy, JSON or TEXT), and of ztunnel.

An event of ztunnel has `src` and `dst` objects (`connectors.sources.ztunnel`), which answers for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from connectors.ecs.istio_access import document
from connectors.ecs.redaction import redact_text
from connectors.sources import ztunnel
from connectors.sources.istio_denial import denied, denying_policy
from connectors.sources.istio_field_names import field_names
from connectors.sources.istio_format import TextFormat, read_line
from connectors.sources.istio_json import FieldMap
from connectors.sources.istio_mesh import direction
from connectors.sources.istio_outcome import outcome_of
from connectors.sources.istio_outline import outline
from connectors.sources.istio_parties import called_out, called_service, callers, reached, targets
from connectors.sources.istio_peer import claimed
from connectors.sources.istio_proxy_log import is_proxy_log, is_proxy_log_line
from connectors.sources.istio_text import LINE_LIMIT, looks_like_line, normalise, parse_line
from connectors.sources.moment import seconds
from connectors.sources.outline import Outline
from connectors.sources.reject import Reason, Reject
from connectors.sources.source import NOWHERE
from connectors.sources.untrusted import clean, distinct, entity, integer_at, text_at
from detectors.event import Alias, Contact, Entity, Event, Json, Locator, LogSource, Outcome
from detectors.identifier import digest16, source_id

_SERVER_SIDE: Final = ("inbound|", "inbound-vip|", "inbound-pod|")


class IstioAccess:
    """One access log line an event. Event time is `start_time`, the start of the request (ztunnel: `time`).

    `formats` are TEXT formats besides Istio's own, `fields` the meaning of the keys of another JSON format.
    """

    kind: str = "istio_access"
    logsources: tuple[LogSource, ...] = (
        LogSource("istio", "access", None),
        LogSource("istio", "ztunnel", None),
        LogSource(None, None, "webserver"),
        LogSource(None, None, "proxy"),
    )
    aliases: Mapping[str, str] = field_names()

    def __init__(self, formats: Sequence[TextFormat] = (), fields: FieldMap | None = None) -> None:
        self._formats = tuple(formats)
        self._fields = fields

    def recognise(self, value: Json) -> bool:
        """Return whether `value` is an access line in JSON, or of a proxy's own log (`parse` refuses it)."""
        if not isinstance(value, dict):
            return False
        if "start_time" in value and "response_code" in value:
            return True
        if self._fields and self._fields.recognises(value):
            return True
        if "scope" not in value and "body" not in value:
            return False
        return ztunnel.is_record(value) or is_proxy_log(value) or self._labelled(value) is not None

    def recognise_line(self, line: bytes) -> bool:
        """Return whether `line` begins as an access line, or as a proxy's own log (`parse` refuses it)."""
        if looks_like_line(line) or ztunnel.is_line(line) or is_proxy_log_line(line):
            return True
        if not self._formats or line[:1] == b"{":
            return False
        first = line[:LINE_LIMIT].partition(b"\n")[0].decode("utf-8", "replace").strip()
        return read_line(first, self._formats) is not None

    def parse(self, value: Any, locator: Locator, origin: Mapping[str, str] = NOWHERE) -> Event:
        """Return the event of a JSON object, or of a text line (bytes or text). Raises Reject."""
        if isinstance(value, dict):
            if self._fields and self._fields.recognises(value):
                value = self._fields.applied(value)
            start = value.get("start_time")
            if start is None:
                return self._other(value, locator, origin)
            normalise(value)
            return Event(self, seconds(start, "start_time"), value, locator, origin)
        if isinstance(value, str):
            value = value.encode("utf-8", "replace")
        if not isinstance(value, bytes):
            raise Reject(Reason.WRONG_TYPE, "an access log entry is an object or a line")
        return self._line(value, {}, locator, origin)

    def _line(
        self, line: bytes, labels: Mapping[str, Any], locator: Locator, origin: Mapping[str, str]
    ) -> Event:
        if not looks_like_line(line):
            if ztunnel.is_line(line):
                return self._ztunnel(ztunnel.parse_line(line), locator, origin)
            if is_proxy_log_line(line):
                raise Reject(Reason.PROXY_LOG, "a line of the proxy's own log")
        fields = parse_line(line, self._formats)
        if labels:
            fields = {**labels, **fields}
            normalise(fields)
        return Event(self, seconds(fields["start_time"], "start_time"), fields, locator, origin)

    def _other(self, value: dict[str, Any], locator: Locator, origin: Mapping[str, str]) -> Event:
        """An object without a start time: ztunnel's, the proxy's own, or a line with labels."""
        if ztunnel.is_record(value):
            return self._ztunnel(ztunnel.nested(value), locator, origin)
        if is_proxy_log(value):
            raise Reject(Reason.PROXY_LOG, "a line of the proxy's own log")
        line = self._labelled(value)
        if line is not None:
            labels = value.get("attributes")
            return self._line(line, labels if isinstance(labels, dict) else {}, locator, origin)
        raise Reject(Reason.MISSING_TIME, "start_time is missing")

    def _labelled(self, value: Mapping[str, Any]) -> bytes | None:
        """The line of an OpenTelemetry log record: `body` is the line, `attributes` are the mesh's labels."""
        body = value.get("body")
        if not isinstance(body, str) or not isinstance(value.get("attributes", {}), dict):
            return None
        line = body.encode("utf-8", "replace")
        return line if self.recognise_line(line) else None

    def _ztunnel(self, fields: dict[str, Any], locator: Locator, origin: Mapping[str, str]) -> Event:
        return Event(self, seconds(fields.get("time"), "time"), fields, locator, origin)

    def outline(self) -> Outline | None:
        """Return how a JSON line with Istio's own keys is read in outline; none where keys are configured."""
        return None if self._fields else outline()

    def event_id(self, event: Event) -> str:
        """Return REQUESTID/h; both sidecars and every retry log under one request id."""
        fields = event.fields
        request = text_at(fields, "request_id")
        if not request:
            return str(event.locator)
        mark = digest16(
            request,
            text_at(fields, "start_time") or "",
            direction(fields),
            text_at(fields, "upstream_host") or "",
            text_at(fields, "downstream_remote_address") or "",
        )
        return f"{source_id(request)}/{mark}"

    def entities(self, event: Event) -> Sequence[Entity]:
        """Return the caller first (workload, service account or address), then what it reached."""
        if ztunnel.is_ztunnel(event.fields):
            return ztunnel.entities(event)
        who, what = callers(event), targets(event)
        found = distinct([*who, *what])
        if who and what:
            found.append(entity("edge", f"{who[0].id} -> {what[0].id}", "target"))
        return found

    def outcome(self, event: Event) -> Outcome:
        """Return failure on a code of 400 or more, a denial, a refusal or a failure flag."""
        return ztunnel.outcome(event) if ztunnel.is_ztunnel(event.fields) else outcome_of(event.fields)

    def summary(self, event: Event) -> str:
        """Return who reached what with which answer, and which policy denied it."""
        fields = event.fields
        if ztunnel.is_ztunnel(fields):
            return ztunnel.summary(event)
        who, what = callers(event), targets(event)
        caller = f"{who[0].type} {clean(who[0].id)}" if who else "an unknown caller"
        claim = claimed(fields)
        if claim:
            caller += f", said to call for {claim},"
        method = text_at(fields, "method")
        path = redact_text((text_at(fields, "path") or "").partition("?")[0])
        did = f"{clean(method)} {clean(path)} on " if method else "a connection to "
        host = clean(what[0].id) if what else "an unknown host"
        code = integer_at(fields, "response_code")
        ending = ""
        if denied(fields):
            policy = denying_policy(fields)
            ending = f" and was denied by policy {clean(policy)}" if policy else " and was denied"
        return f"{caller} made {did}{host} (code {code or 'none'}){ending}"

    def aliases_in(self, event: Event) -> Sequence[Alias]:
        """Access logs prove no alias: addresses in them may come from headers."""
        return ()

    def contacts(self, event: Event) -> Sequence[Contact]:
        """Return the edge of a client-side line that was not refused; bytes_out is what the caller sent."""
        fields = event.fields
        cluster = fields.get("upstream_cluster")
        if isinstance(cluster, str) and cluster:
            if cluster.startswith(_SERVER_SIDE):
                return ()
            if cluster.startswith("outbound|"):
                came_about = reached(fields) or outcome_of(fields) != "failure"
                return called_service(event, cluster) if came_about else ()
        elif ztunnel.is_ztunnel(fields):
            return ztunnel.contacts(event)
        if direction(fields) != "outbound" or (not reached(fields) and outcome_of(fields) == "failure"):
            return ()
        return called_out(event)

    def ecs(self, event: Event) -> dict[str, Any]:
        """Return the ECS document."""
        return document(event)
