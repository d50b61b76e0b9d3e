"""What logins prove: a random password is refused, the new one is let in, the old one is refused long enough.

Only an SQLSTATE 28P01 or 28000 from the service is a refusal (contracts, section 5); a time-out, a lost
connection or "too many connections" says nothing about a password.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from config.response import DatabaseProbe
from connectors.rotation.login import Login, try_login
from connectors.rotation.refusing import Refusals
from connectors.vault.secret_text import SecretText
from playbooks.ports import Clock, StepFailedError
from playbooks.proof import MIN_REFUSED_POOLED_S, MIN_REFUSED_S, Check, CheckName

PROBE_TIMEOUT_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Prober:
    """Tries logins of one database user and writes what it saw as checks."""

    probe: DatabaseProbe
    user: str
    now: Clock
    sleep: Callable[[float], None]
    monotonic: Callable[[], float] = time.monotonic

    @property
    def observer(self) -> str:
        """Who says so, in a check: the service itself, at its address."""
        return f"postgresql {self.probe.host}:{self.probe.port}"

    def login(self, password: SecretText) -> Login:
        """Try once."""
        return try_login(self.probe, self.user, password, PROBE_TIMEOUT_S, self.monotonic)

    def negative_control(self, random_password: SecretText, current: SecretText) -> Check:
        """Check that a random password is refused and the current one is let in. Raises StepFailedError.

        Where anything is let in (trust, a caching pooler) no later refusal would mean a thing.
        """
        first = self.now()
        wrong = self._answered(random_password, "negative_control")
        if wrong.verdict != "refused":
            check = self._check("negative_control", False, 1, first, wrong.code)
            reason = "a random password is let in: this service cannot prove that a password is dead"
            raise StepFailedError(reason, retry=False, checks=[check])
        right = self._answered(current, "negative_control")
        if right.verdict != "accepted":
            check = self._check("negative_control", False, 2, first, right.code)
            reason = f"the password that the vault serves is refused ({right.code})"
            raise StepFailedError(reason, retry=False, checks=[check])
        return self._check("negative_control", True, 2, first, wrong.code)

    def new_accepted(self, password: SecretText) -> Check:
        """Check that the new password is let in. Raises StepFailedError."""
        first = self.now()
        answer = self._answered(password, "new_accepted")
        check = self._check("new_accepted", answer.verdict == "accepted", 1, first, answer.code)
        if not check.passed:
            raise StepFailedError(f"the new password is refused ({answer.code})", retry=True, checks=[check])
        return check

    def old_refused(self, password: SecretText) -> Check:
        """Check that the old password is refused, often and long enough. Raises StepFailedError.

        At least three refusals over at least 3 s, 10 s behind a pooler; takes that long.
        """
        needed = MIN_REFUSED_POOLED_S if self.probe.pooled else MIN_REFUSED_S
        refusals = Refusals(needed, self.now, self.sleep, self.monotonic)
        return refusals.watch(lambda: self.login(password), self.observer, "database")

    def _answered(self, password: SecretText, what: CheckName) -> Login:
        answer = self.login(password)
        if answer.verdict == "unanswered":
            raise StepFailedError(
                f"{what}: the database does not answer ({answer.code})", retry=True, unavailable="database"
            )
        return answer

    def _check(self, name: CheckName, passed: bool, attempts: int, first: float, code: str) -> Check:
        return Check(name, passed, attempts, first, self.now(), self.observer, code)
