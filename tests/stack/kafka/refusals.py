"""Kubernetes audit events of refused requests: three of a user within a minute are a burst."""

from __future__ import annotations

import time
from typing import Any

from detectors.finding import rfc3339


def refused(number: int, user: str = "eve") -> dict[str, Any]:
    """Return one event, a second after the one before, the first a minute ago."""
    at = rfc3339(time.time() - 60 + number)
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": f"00000000-0000-4000-a000-{number:012d}",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/default/secrets",
        "verb": "list",
        "user": {"username": user, "groups": ["system:authenticated"]},
        "sourceIPs": ["10.0.0.9"],
        "userAgent": "kubectl",
        "objectRef": {"resource": "secrets", "namespace": "default", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "status": "Failure", "reason": "Forbidden", "code": 403},
        "requestReceivedTimestamp": at,
        "stageTimestamp": at,
    }
