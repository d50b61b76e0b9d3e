"""A refusal: the status, the guard that said no, and a reason that a tired person understands."""

from __future__ import annotations

from typing import Final

GUARDS: Final = {
    "host": "Unknown host",
    "body": "Body not acceptable",
    "origin": "Foreign request",
    "csrf": "Form not from this session",
    "session": "Sign-in needed",
    "token": "Unknown approver token",
    "link": "Link not usable",
    "not_found": "Not here",
    "state": "Not open for decisions",
    "expired": "Too late",
    "digest": "The plan has changed",
    "class": "Not approver of this class",
    "requester": "Own request",
    "subject": "Subject of the incident",
    "owner": "Sole owner of the credential",
    "repeated": "Already decided",
    "store": "Database away",
    "internal": "Internal error",
}


class RefusalError(Exception):
    """Raised by handlers; becomes a readable page or an RFC 9457 problem. `reason` holds no secret."""

    def __init__(self, status: int, guard: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.guard = guard
        self.reason = reason

    @property
    def title(self) -> str:
        """The guard in words."""
        return GUARDS.get(self.guard, "Refused")
