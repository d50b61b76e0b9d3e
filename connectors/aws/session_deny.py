"""The dated deny: everything that a session issued before a time asks for is refused.

Source: AWS IAM user guide, "Revoking IAM role temporary security credentials" (AWSRevokeOlderSessions). The
policy has a name of our own, so that neither overwrites the other.
"""

from __future__ import annotations

from typing import Final

import orjson

from detectors.finding import parse_rfc3339, rfc3339

POLICY: Final = "DavylampRevokeOlderSessions"


def session_deny(until: float) -> str:
    """Return the policy document that denies sessions issued before `until` (seconds, UTC)."""
    statement = {
        "Sid": POLICY,
        "Effect": "Deny",
        "Action": ["*"],
        "Resource": ["*"],
        "Condition": {"DateLessThan": {"aws:TokenIssueTime": rfc3339(until)}},
    }
    return orjson.dumps({"Version": "2012-10-17", "Statement": [statement]}).decode()


def denies_until(document: str | None) -> float | None:
    """Return until when such a document denies (seconds, UTC); None for no document or another one."""
    if document is None:
        return None
    try:
        (statement,) = orjson.loads(document)["Statement"]
        return parse_rfc3339(statement["Condition"]["DateLessThan"]["aws:TokenIssueTime"])
    except (ValueError, KeyError, TypeError):
        return None
