"""A CloudTrail record of a call in outline (`connectors.sources.outline`)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from connectors.sources.cloudtrail_aliases import HANDS_OUT, STS
from connectors.sources.moment import seconds
from connectors.sources.outline import Glance, Outline
from detectors.identifier import source_id

_POINTER: Final = "aws:s3"


def outline() -> Outline:
    """Return how: overviews, what completes an earlier record or hands out keys are read in full."""
    fields = (("eventTime",), ("eventName",), ("eventSource",), ("eventVersion",), ("eventID",), ("eventId",))
    return Outline(fields, _glance, absent=frozenset({"insightDetails", "addendum"}))


def _glance(time: Any, name: Any, service: Any, version: Any, first: Any, second: Any) -> Glance | None:
    if type(time) is not str or type(name) is not str or type(service) is not str or service == _POINTER:
        return None
    if type(version) is str and version[:2] != "1.":
        return None
    if service == STS and name.startswith(HANDS_OUT):
        return None
    text = first if type(first) is str and first else second
    event_id = source_id(text) if type(text) is str and text else None
    return event_id, _time(time), (), None, 0


@lru_cache(maxsize=4096)
def _time(text: str) -> float:
    """`seconds` of an eventTime: they have whole seconds, so a busy trail repeats them."""
    return seconds(text, "eventTime")
