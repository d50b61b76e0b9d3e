"""An old credential is tried until it was refused often and long enough (contracts, section 5)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from connectors.rotation.login import Login
from connectors.rotation.tools import Tools
from playbooks.ports import Clock, StepFailedError
from playbooks.proof import MIN_REFUSALS, MIN_REFUSED_S, Check

_MARGIN_S: Final = 0.05
_MAX_UNANSWERED: Final = 3


@dataclass(frozen=True, slots=True)
class Refusals:
    """At least three refusals over at least `needed_s`; takes that long."""

    needed_s: float
    now: Clock
    sleep: Callable[[float], None]
    monotonic: Callable[[], float] = time.monotonic

    def watch(self, attempt: Callable[[], Login], observer: str, service: str) -> Check:
        """Return the check once `attempt` was refused long enough.

        Raises StepFailedError when it is let in, or when `service` three times gives no answer.
        """
        needed = self.needed_s + _MARGIN_S
        pause = needed / MIN_REFUSALS
        first, begun = self.now(), self.monotonic()
        refusals = unanswered = 0
        while True:
            answer = attempt()
            if answer.verdict == "accepted":
                check = Check("old_refused", False, refusals + 1, first, self.now(), observer, answer.code)
                reason = "the old password is still let in" if service == "database" else STILL_LET_IN
                raise StepFailedError(reason, retry=True, checks=[check])
            if answer.verdict == "refused":
                refusals += 1
                last = self.now()
                if refusals >= MIN_REFUSALS and last - first >= needed and self.monotonic() - begun >= needed:
                    return Check("old_refused", True, refusals, first, last, observer, answer.code)
            else:
                unanswered += 1
                if unanswered >= _MAX_UNANSWERED:
                    reason = f"the {service} does not answer ({answer.code})"
                    raise StepFailedError(reason, retry=True, unavailable=service)
            left = needed - (self.monotonic() - begun)
            self.sleep(min(pause, left) if left > 0 else pause / 10)


STILL_LET_IN: Final = "the old credential is still let in"


def watch_refusals(attempt: Callable[[], Login], now: Clock, tools: Tools, observer: str) -> Check:
    """Watch a credential of the vault's own being refused over 3 s. Raises StepFailedError."""
    return Refusals(MIN_REFUSED_S, now, tools.sleep, tools.monotonic).watch(attempt, observer, "vault")
