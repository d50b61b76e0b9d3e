"""What the API server audited while a test did something, by its webhook and by its file."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import orjson
from parts.audit_webhook import Collected
from parts.kubernetes import KubernetesPart

_SETTLED_S: Final = 20.0
_PAUSE_S: Final = 0.05


class Stage(NamedTuple):
    """One event of one request."""

    audit_id: str
    stage: str
    time: str


class AuditTrail:
    """`seen` is what the webhook brought, `filed()` what the file has; equal once `settle` returned."""

    def __init__(self, server: KubernetesPart) -> None:
        """Begin at the present end of the file."""
        self._server = server
        self._begin = server.audit_log.stat().st_size
        self.seen = Collected()

    def filed(self) -> list[dict[str, Any]]:
        """Return the events that the file gained, decoded."""
        with self._server.audit_log.open("rb") as file:
            file.seek(self._begin)
            return [orjson.loads(line) for line in file.read().split(b"\n") if line]

    def settle(self) -> None:
        """Wait until the webhook brought what the file holds, a last call of ours included.

        Raises TimeoutError with what is missing.
        """
        last = f"/livez?end={secrets.token_hex(8)}"
        self._server.call("GET", last)
        give_up = time.monotonic() + _SETTLED_S
        while missing := self._missing(last):
            if time.monotonic() > give_up:
                raise TimeoutError(f"the webhook did not bring {missing[:5]} within {_SETTLED_S:g} s")
            time.sleep(_PAUSE_S)

    def _missing(self, last: str) -> list[Stage]:
        filed = self.filed()
        if not any(e["requestURI"] == last and e["stage"] == "ResponseComplete" for e in filed):
            return [Stage(last, "ResponseComplete", "")]
        brought = {stage_of(event) for event in self.seen.events()}
        return [stage for stage in map(stage_of, filed) if stage not in brought]


def stage_of(event: dict[str, Any]) -> Stage:
    """Return which event of which request this is."""
    return Stage(event["auditID"], event["stage"], event["stageTimestamp"])


@contextmanager
def audited(server: KubernetesPart) -> Iterator[AuditTrail]:
    """Collect what is audited inside; all of it is there at the end."""
    trail = AuditTrail(server)
    with server.webhook.into(trail.seen):
        yield trail
        trail.settle()
