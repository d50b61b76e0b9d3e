"""Kubernetes audit events, audit.k8s.io/v1 (the API server's own types)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from connectors.ecs.kubernetes_audit import document
from connectors.sources.kubernetes_aliases import announced, authenticated, bound
from connectors.sources.kubernetes_cut import recognise_cut, salvaged
from connectors.sources.kubernetes_entities import entities, peer
from connectors.sources.kubernetes_field_names import field_names
from connectors.sources.kubernetes_outcome import outcome_of
from connectors.sources.kubernetes_outline import outline
from connectors.sources.moment import seconds
from connectors.sources.outline import Outline
from connectors.sources.reject import Reason, Reject
from connectors.sources.source import NOWHERE, Skeleton
from connectors.sources.untrusted import clean, integer_at, object_at, text_at
from detectors.event import Alias, Contact, Entity, Event, Json, Locator, LogSource, Outcome
from detectors.identifier import digest16, source_id

_STAGES: Final = frozenset({"RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"})


class KubernetesAudit:
    """One audit event. Event time is `stageTimestamp`; one request gives up to three events.

    A line that was cut on its way is an event of what is left; `kubernetes_cut.is_truncated` tells it.
    """

    kind: str = "kubernetes_audit"
    logsources: tuple[LogSource, ...] = (LogSource("kubernetes", "audit", "application"),)
    aliases: Mapping[str, str] = field_names()

    def recognise(self, value: Json) -> bool:
        """Return whether `value` has the keys that every audit event has."""
        return isinstance(value, dict) and "auditID" in value and "stage" in value

    def recognise_line(self, line: bytes) -> bool:
        """Return whether a line is an audit event that was cut; whole ones are JSON objects."""
        return recognise_cut(line)

    def parse(self, value: Any, locator: Locator, origin: Mapping[str, str] = NOWHERE) -> Event:
        """Return the event of an object, or of a cut line. Raises Reject."""
        if type(value) is dict:
            time = value.get("stageTimestamp")
        elif isinstance(value, bytes):
            value, origin, time = salvaged(value, origin)
        else:
            raise Reject(Reason.WRONG_TYPE, "an audit event is an object")
        get = value.get
        if type(get("verb")) is not str or type(get("stage")) is not str:
            raise Reject(Reason.WRONG_TYPE, "verb and stage are texts")
        return Event(self, seconds(time, "stageTimestamp"), value, locator, origin)

    def skeleton(self) -> Skeleton:
        """Return what makes an audit event."""
        return Skeleton("stageTimestamp", {"auditID": 0, "stage": 0, "verb": 0})

    def outline(self) -> Outline:
        """Return how an event is read in outline."""
        return outline()

    def event_id(self, event: Event) -> str:
        """Return AUDITID/STAGE/h: callers may choose audit ids, so h covers what the server set."""
        fields = event.fields
        get = fields.get
        audit_id, stage = get("auditID"), get("stage")
        if not isinstance(audit_id, str) or not audit_id:
            return str(event.locator)
        stamp, verb, uri = get("stageTimestamp"), get("verb"), get("requestURI")
        code = integer_at(fields, "responseStatus", "code")
        mark = digest16(
            stamp if isinstance(stamp, str) else "",
            text_at(fields, "user", "username") or "",
            verb if isinstance(verb, str) else "",
            uri if isinstance(uri, str) else "",
            "" if code is None else str(code),
        )
        stage = stage if isinstance(stage, str) else ""
        return f"{source_id(audit_id)}/{stage if stage in _STAGES else source_id(stage)}/{mark}"

    def entities(self, event: Event) -> Sequence[Entity]:
        """Return the pod, service account or namespace at risk first, else the caller, else its address."""
        return entities(event.fields)

    def outcome(self, event: Event) -> Outcome:
        """Return failure when the authoriser forbade it, the code is 400 or more, or the handler panicked."""
        return outcome_of(event.fields)

    def summary(self, event: Event) -> str:
        """Return who, as whom, did what to which object or path from where, and the code."""
        fields = event.fields
        where = clean(peer(fields) or "an unknown address")
        code = integer_at(fields, "responseStatus", "code")
        ending = f" (code {code})" if code else ""
        return f"{_who(fields)} did {clean(str(fields['verb']))} on {_what(fields)} from {where}{ending}"

    def aliases_in(self, event: Event) -> Sequence[Alias]:
        """Return pod, address and service account as kubelets and bound tokens prove them, a user's ARN."""
        fields = event.fields
        return (*announced(event), *bound(fields, event.time), *authenticated(fields, event.time))

    def contacts(self, event: Event) -> Sequence[Contact]:
        """The audit log feeds no baseline of this release."""
        return ()

    def ecs(self, event: Event) -> dict[str, Any]:
        """Return the ECS document."""
        return document(event)


def _who(fields: Mapping[str, Any]) -> str:
    unknown = "an unauthenticated caller" if "user" in fields else "an unknown caller"
    effective = text_at(fields, "impersonatedUser", "username") if "impersonatedUser" in fields else None
    name = clean(text_at(fields, "user", "username") or unknown)
    return f"{name} as {clean(effective)}" if effective else name


def _what(fields: Mapping[str, Any]) -> str:
    get = object_at(fields, "objectRef").get
    parts = (get("namespace"), get("resource"), get("name"), get("subresource"))
    named = "/".join([clean(part) for part in parts if part and isinstance(part, str)])
    if named:
        return named
    path = (text_at(fields, "requestURI") or "").partition("?")[0]
    return f"the path {clean(path)}" if path else "a non-resource path"
