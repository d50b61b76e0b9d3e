"""How a Kubernetes request ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.sources.untrusted import integer_at, text_at
from detectors.event import Outcome


def outcome_of(fields: Mapping[str, Any]) -> Outcome:
    """Return failure when the authoriser forbade it, the code is 400 or more, or the handler panicked."""
    decision = text_at(fields, "annotations", "authorization.k8s.io/decision")
    if decision == "forbid" or fields["stage"] == "Panic":
        return "failure"
    code = integer_at(fields, "responseStatus", "code")
    if code:
        return "failure" if code >= 400 else "success"
    return "success" if decision == "allow" and fields["stage"] != "RequestReceived" else "unknown"
