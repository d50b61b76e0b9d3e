"""How a CloudTrail call ended: error codes, sign-ins that say it in words, answers that are errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connectors.sources.cloudtrail_values import truth
from connectors.sources.untrusted import text_at
from detectors.event import Outcome

_SAID: Final[Mapping[str, Outcome]] = {
    "success": "success",
    "succeeded": "success",
    "failure": "failure",
    "failed": "failure",
    "error": "failure",
}
_ERRORS: Final = ("errorCode", "errorMessage", "error")
_SIGN_IN: Final = "signin.amazonaws.com"


def outcome(fields: Mapping[str, Any]) -> Outcome:
    """Return success, failure or, where a sign-in does not say, unknown."""
    if fields.get("errorCode") or fields.get("errorMessage"):
        return "failure"
    name = fields["eventName"]
    answer = fields.get("responseElements")
    if fields["eventSource"] == _SIGN_IN or name == "ConsoleLogin":
        return _signed_in(fields, name)
    return "failure" if isinstance(answer, dict) and _is_error(answer) else "success"


def _is_error(answer: Mapping[str, Any]) -> bool:
    """EC2 answers `_return: false`; some services write their error into the answer and no errorCode."""
    return truth(answer.get("_return")) is False or any(answer.get(key) for key in _ERRORS)


def _signed_in(fields: Mapping[str, Any], name: str) -> Outcome:
    """A sign-in event names itself in the answer, or in serviceEventDetails (Identity Center)."""
    said = text_at(fields, "responseElements", name) or text_at(fields, "serviceEventDetails", name)
    if said is None:
        return "unknown" if name == "ConsoleLogin" else "success"
    return _SAID.get(said[:16].lower(), "unknown")
