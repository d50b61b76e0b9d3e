"""What the vault itself says of tokens, as checks: a made-up one is refused, the old are gone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from connectors.rotation.login import Login
from connectors.vault import tokens
from connectors.vault.client import VaultClient
from connectors.vault.error import VaultError
from connectors.vault.secret_text import SecretText
from playbooks.ports import Clock, StepFailedError
from playbooks.proof import Check, CheckName

OBSERVER: Final = "vault"
MAX_TOKENS: Final = 5000
_ROUNDS: Final = 5


def refuse_own_login(vault: VaultClient, path: str, meta: Mapping[str, str]) -> None:
    """Raise StepFailedError when our own token comes of a login at `path` with `meta`."""
    own = tokens.look_up_self(vault)
    if own is not None and own.path == path and meta.items() <= own.meta.items():
        raise StepFailedError("this is the role of our own login: it is never touched", retry=False)


@dataclass(frozen=True, slots=True)
class TokenChecks:
    """Makes checks about tokens of one vault. Methods raise VaultError and StepFailedError."""

    vault: VaultClient
    now: Clock

    def negative_control(self, made_up: SecretText) -> Check:
        """Check that a made-up token is refused while ours is let in at the same place."""
        first = self.now()
        if tokens.look_up_self(self.vault, made_up) is not None:
            check = self._check("negative_control", False, 1, first, "200")
            reason = "a made-up token is let in: this vault cannot prove that a token is dead"
            raise StepFailedError(reason, retry=False, checks=[check])
        if tokens.look_up_self(self.vault) is None:
            check = self._check("negative_control", False, 2, first, "403")
            raise StepFailedError("our own token may not look itself up", retry=False, checks=[check])
        return self._check("negative_control", True, 2, first, "403")

    def attempt(self, token: SecretText) -> Login:
        """Try `token` once; a vault that does not answer is no refusal."""
        try:
            found = tokens.look_up_self(self.vault, token)
        except VaultError as error:
            return Login("unanswered", type(error).__name__)
        return Login("refused", "403") if found is None else Login("accepted", "200")

    def accessor_gone(self, accessor: str) -> Check:
        """Check that the vault knows no token with this accessor."""
        first = self.now()
        found = tokens.look_up(self.vault, accessor)
        check = self._check("sessions_gone", found is None, 1, first, "400" if found is None else "200")
        if found is not None:
            raise StepFailedError("the vault still knows the token", retry=True, checks=[check])
        return check

    def end_issued(
        self, path: str, meta: Mapping[str, str], still_leased: Callable[[], object]
    ) -> tuple[int, Check]:
        """Revoke every service token that a login at `path` made with `meta`; look until none is left.

        Returns how many were revoked, and the check. Tokens that are made meanwhile are revoked too.
        """
        first, ended = self.now(), 0
        for tries in range(1, _ROUNDS + 1):
            found = [info.accessor for info in tokens.issued(self.vault, path, meta, MAX_TOKENS)]
            if not found:
                return ended, self._check("sessions_gone", True, tries, first, "0 tokens")
            for accessor in found:
                still_leased()
                tokens.revoke(self.vault, accessor)
            ended += len(found)
        check = self._check("sessions_gone", False, _ROUNDS, first, "open")
        raise StepFailedError("there are ever new tokens: stop the logins first", retry=True, checks=[check])

    def _check(self, name: CheckName, passed: bool, attempts: int, first: float, code: str) -> Check:
        return Check(name, passed, attempts, first, self.now(), OBSERVER, code)
