"""The exceptions of correlate."""

from __future__ import annotations


class CorrelateError(Exception):
    """Anything that correlate itself says; its text holds no event's values."""


class MessageFormatError(CorrelateError):
    """A record of an internal topic is not what `docs/architecture.md` says; `reason` is a fixed word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MissingRecordsError(CorrelateError):
    """Records that the broker still has did not arrive; a restart reads them again."""


class StoppedWorkingError(CorrelateError):
    """Faust ended by itself although nobody asked it to."""


class LostMembershipError(CorrelateError):
    """The group went on without this worker; its partitions may be another's. A restart joins anew."""
