"""AWS CloudTrail records, version 1.x (conventions: CloudTrail record contents)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson

from connectors.ecs.cloudtrail import document
from connectors.sources import cloudtrail_overview as overview
from connectors.sources.cloudtrail_aliases import handed_out
from connectors.sources.cloudtrail_caller import caller, callers, source
from connectors.sources.cloudtrail_field_names import field_names
from connectors.sources.cloudtrail_outcome import outcome
from connectors.sources.cloudtrail_outline import outline
from connectors.sources.cloudtrail_overview import is_overview
from connectors.sources.cloudtrail_target import credential, targets
from connectors.sources.cloudtrail_values import major, omitted, truth
from connectors.sources.moment import seconds
from connectors.sources.outline import Outline
from connectors.sources.reject import Reason, Reject
from connectors.sources.source import NOWHERE, Skeleton
from connectors.sources.untrusted import clean, distinct, entity, text_at
from detectors.event import Alias, Contact, Entity, Event, Json, Locator, LogSource, Outcome
from detectors.identifier import digest16, source_id


class CloudTrail:
    """One CloudTrail record an event. Event time is `eventTime`, the end of the call.

    Insights and aggregated events are events too; they have no caller of their own.
    """

    kind: str = "cloudtrail"
    logsources: tuple[LogSource, ...] = (LogSource("aws", "cloudtrail", None),)
    aliases: Mapping[str, str] = field_names()
    presents: Sequence[tuple[str, ...]] = (("userIdentity", "accessKeyId"),)

    def recognise(self, value: Json) -> bool:
        """Return whether `value` has the keys that every record has, or those of an overview."""
        if not isinstance(value, dict):
            return False
        return ("eventName" in value and "eventSource" in value) or is_overview(value)

    def recognise_line(self, line: bytes) -> bool:
        """CloudTrail has no text format."""
        return False

    def parse(self, value: Any, locator: Locator, origin: Mapping[str, str] = NOWHERE) -> Event:
        """Return the event. Raises Reject."""
        if type(value) is not dict:
            raise Reject(Reason.WRONG_TYPE, "a record is an object")
        get = value.get
        service, version = get("eventSource"), get("eventVersion")
        if service == "aws:s3":
            raise Reject(Reason.POINTER, "an S3 notification, holds no event")
        if type(version) is str and version[:2] != "1.":
            _check(version)
        if type(service) is not str or type(get("eventName")) is not str or "insightDetails" in value:
            return Event(self, _overview_time(value), value, locator, origin)
        time = get("eventTime")
        at = _time(time) if type(time) is str else seconds(time, "eventTime")
        return Event(self, at, value, locator, origin)

    def skeleton(self) -> Skeleton:
        """Return what makes a record of a call: "aws:s3" is shorter than the name of any service."""
        versions = frozenset(f"1.{minor}" for minor in range(100)) | {f"1.0{minor}" for minor in range(10)}
        texts = {"eventName": 0, "eventSource": len("aws:s3") + 1}
        return Skeleton("eventTime", texts, {"eventVersion": versions}, frozenset({"insightDetails"}))

    def outline(self) -> Outline:
        """Return how an event is read in outline."""
        return outline()

    def event_id(self, event: Event) -> str:
        """Return eventID (aggregated events: eventId), or the locator when there is none.

        A record that completes an earlier one under the same id is another event: its content is in the id.
        """
        fields = event.fields
        text = text_at(fields, "eventID") or text_at(fields, "eventId")
        if not text:
            return str(event.locator)
        if "addendum" in fields and text_at(fields, "addendum", "originalEventID") == text:
            whole = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode()
            return f"{source_id(text)}/{digest16(whole)}"
        return source_id(text)

    def entities(self, event: Event) -> Sequence[Entity]:
        """Return the credential at risk first for key calls, else the caller, else its address."""
        fields = event.fields
        if is_overview(fields):
            return overview.entities(fields)
        found = [*credential(fields), *callers(fields), *source(fields), *targets(fields)]
        return distinct(found) or [entity("iam_principal", caller(fields), "actor")]

    def outcome(self, event: Event) -> Outcome:
        """Return failure on an error, or when a sign-in says so; an overview has no outcome."""
        return "unknown" if is_overview(event.fields) else outcome(event.fields)

    def summary(self, event: Event) -> str:
        """Return who called what from where, and how it ended."""
        fields = event.fields
        if is_overview(fields):
            return overview.summary(fields)
        service = clean(str(fields["eventSource"]).removesuffix(".amazonaws.com"))
        call = f"{service}:{clean(str(fields['eventName']))}"
        origin = clean(text_at(fields, "sourceIPAddress") or "an unknown address")
        return f"{clean(caller(fields))} called {call} from {origin}{_ending(fields)}"

    def aliases_in(self, event: Event) -> Sequence[Alias]:
        """Return who asked for the session and the key that AWS STS handed out."""
        return handed_out(event.fields, event.time)

    def contacts(self, event: Event) -> Sequence[Contact]:
        """CloudTrail feeds no baseline of this release."""
        return ()

    def ecs(self, event: Event) -> dict[str, Any]:
        """Return the ECS document."""
        return document(event)


@lru_cache(maxsize=4096)
def _time(text: str) -> float:
    """`seconds` of an eventTime: they have whole seconds, so a busy trail repeats them."""
    return seconds(text, "eventTime")


def _check(version: str) -> None:
    if major(version) not in {None, 1}:
        raise Reject(Reason.UNKNOWN_VERSION, "eventVersion is none of 1.x")


def _overview_time(value: dict[str, Any]) -> float:
    if not is_overview(value):
        raise Reject(Reason.WRONG_TYPE, "eventName and eventSource are texts")
    told = value.get("insightDetails", value.get("summary"))
    if not isinstance(told, dict):
        raise Reject(Reason.WRONG_TYPE, "insightDetails and summary are objects")
    return seconds(*overview.time_of(value))


def _ending(fields: Mapping[str, Any]) -> str:
    error = text_at(fields, "errorCode")
    ending = f" and got {clean(error)}" if error else " and failed" if outcome(fields) == "failure" else ""
    if truth(text_at(fields, "additionalEventData", "MFAUsed")) is False:
        ending += " without MFA"
    left_out = omitted(fields)
    return f"{ending} ({', '.join(left_out)} left out for size)" if left_out else ending
