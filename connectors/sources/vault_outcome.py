"""Whether Vault let a request happen. Not every refusal is in `error`.

Denied by policy: `auth.policy_results.allowed` is false, on the request entry already. Refused by a backend
(a login as nobody, a bad path): only `response.data.error` or `errors`, hashed, or the HTTP status of a raw
answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from detectors.event import Outcome

ANSWERED: Final = frozenset({"response", "kmip-response"})
_KEY_VALUE: Final = frozenset({"kv", "generic", "cubbyhole", "ns_cubbyhole"})
_TOLD: Final = frozenset({"error", "errors", "data"})
_HEALTH: Final = "sys/health"


def answered(fields: Mapping[str, Any]) -> bool:
    """Return whether the entry is of an answer (`response`, `kmip-response`), not of a question."""
    kind = fields.get("type")
    return isinstance(kind, str) and kind in ANSWERED


def outcome_of(fields: Mapping[str, Any]) -> Outcome:
    """Return failure on a refusal of any form; a question without one is unknown."""
    if fields.get("error") or _forbidden(fields.get("auth")) or _refused(fields):
        return "failure"
    return "success" if answered(fields) else "unknown"


def _forbidden(auth: Any) -> bool:
    results = auth.get("policy_results") if isinstance(auth, dict) else None
    return isinstance(results, dict) and results.get("allowed") is False


def _refused(fields: Mapping[str, Any]) -> bool:
    response, request = fields.get("response"), fields.get("request")
    if not isinstance(response, dict) or not isinstance(request, dict):
        return False
    data = response.get("data")
    if not isinstance(data, dict):
        return False
    if data.get("error") or data.get("errors"):
        return not _holds_a_secret(response, data, request)
    status = data.get("http_status_code")
    return isinstance(status, int) and status >= 400 and request.get("path") != _HEALTH


def _holds_a_secret(response: Mapping[str, Any], data: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    """A key of a stored secret may be called `error`; a real error stands alone, without `secret` beside."""
    kind = response.get("mount_type") or request.get("mount_type")
    return isinstance(kind, str) and kind in _KEY_VALUE and ("secret" in response or not data.keys() <= _TOLD)
