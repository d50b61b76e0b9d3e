"""Watches the vault while nothing is rotated: sealed or away is said by readiness before it is needed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from connectors.vault.client import VaultClient
from connectors.vault.error import VaultError
from daemon.roles.respond.standing import Standing
from daemon.runtime import Health

WATCH_S: Final = 2.0


@dataclass(slots=True)
class VaultWatch:
    """Reports `vault` and learns who our token is, again and again: a new token has a new accessor."""

    vault: VaultClient
    health: Health
    standing: Standing

    async def work(self) -> float:
        """Look once; return the seconds to wait."""
        up, detail = await asyncio.to_thread(self._look)
        self.health.report("vault", up, detail)
        return WATCH_S

    def _look(self) -> tuple[bool, str]:
        try:
            health = self.vault.health()
            if health.sealed or health.standby:
                return False, "sealed" if health.sealed else "standby"
            self.standing.know(self.vault.identity())
        except VaultError as error:
            return False, str(error)
        return True, ""
