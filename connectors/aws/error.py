"""What AWS can answer with. Only codes of a closed list are passed on, never AWS's own text.

AwsError
├── AwsAwayError     unreachable, too slow, throttled, 5xx: a call that writes may have happened
├── AwsDeniedError   our own credentials may not do this
└── AwsRefusedError  it understood and said no; `code` says why
"""

from __future__ import annotations


class AwsError(Exception):
    """The base of this room's errors."""


class AwsAwayError(AwsError):
    """AWS cannot be asked now."""


class AwsDeniedError(AwsError):
    """IAM does not let our credentials do this; the text names the action."""


class AwsRefusedError(AwsError):
    """AWS refused; `code` is its error code, "other" for one that we do not know."""

    def __init__(self, text: str, code: str) -> None:
        super().__init__(text)
        self.code = code
