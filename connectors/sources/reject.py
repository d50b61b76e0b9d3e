"""Why a record or an event could not be read: a closed list, documented in `docs/dead-letters.md`."""

from __future__ import annotations

from enum import Enum

from detectors.event import Locator


class Reason(Enum):
    """One named reason; its value is the header `reason`. The last three are of `forward`."""

    NOT_UTF8 = "not_utf8", "The bytes are not UTF-8 (UTF-16 included)."
    BAD_JSON = "bad_json", "The text is not JSON, nor a line of a known text format."
    NAN = "nan", "A number is NaN or Infinity."
    TOO_DEEP = "too_deep", "Objects and lists are nested over 1,024 levels, or envelopes over four."
    TOO_LARGE = "too_large", "The record or the line is over the size limit (32 MiB)."
    BOMB = "bomb", "The record unpacks to more bytes than the limit (32 MiB)."
    BAD_GZIP = "bad_gzip", "The record starts as gzip and does not decompress."
    BAD_BASE64 = "bad_base64", "A text that must be base64 (an envelope's `data`) is not."
    PARTIAL = "partial", "A container runtime's partial line (`P`) whose end is not in the record."
    TRUNCATED = "truncated", "The record was cut on its way: an unfinished object or a `[Truncated...]` mark."
    WRONG_TYPE = "wrong_type", "A value that must be an object, text or number is something else."
    MISSING_TIME = "missing_time", "The event has no event time."
    BAD_TIME = "bad_time", "The event time is not an RFC 3339 time between 1990 and 2199."
    UNKNOWN_SHAPE = "unknown_shape", "Readable, but neither an event of any source nor a known envelope."
    UNKNOWN_VERSION = "unknown_version", "A CloudTrail record whose eventVersion is no 1.x."
    PROXY_LOG = "proxy_log", "A line of a proxy's own log (Envoy, Istio's agent, ztunnel), no access line."
    WRONG_SOURCE = "wrong_source", "An event of another source than the one this topic or file is for."
    POINTER = "pointer", "A notification that only says where events lie (S3 object key)."
    TOO_MANY_EVENTS = "too_many_events", "The record holds over 10,000 events; those above are not read."
    TOO_MANY_REJECTS = (
        "too_many_rejects",
        "The record holds over 16 items that cannot be read; the bad ones above are counted.",
    )
    UNMAPPABLE = "unmappable", "forward: the event has no ECS document; a fault of ours, `detail` names it."
    NOT_OURS = "not_ours", "forward: a record of an internal topic that Davylamp did not write like this."
    REFUSED_BY_TARGET = "refused_by_target", "forward: the target refused this document for good."

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Reason:
        """Make a member whose value is the header and whose `meaning` is the documented sentence."""
        member = object.__new__(cls)
        member._value_ = value
        member.meaning = meaning
        return member


class Reject(Exception):
    """A record or event that cannot be read. `detail` is bounded and never quotes the input.

    `locator` is set by `envelope.unpack` and `files.read_events`; `index` counts inside the record.
    """

    def __init__(self, reason: Reason, detail: str = "", locator: Locator | None = None) -> None:
        self.reason = reason
        self.detail = detail[:200]
        self.locator = locator

    def __str__(self) -> str:
        return f"{self.reason.value}: {self.detail}" if self.detail else self.reason.value
