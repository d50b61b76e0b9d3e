"""Looks again at old credentials that were not proven dead: later and later, until a proof or a person."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from connectors.store import debt_proving
from connectors.store.database import Database
from playbooks.policy import Policy
from playbooks.ports import Clock, RotationHandler

LOOK_S: Final = 1.0


@dataclass(slots=True)
class DebtLooks:
    """Opens the proofs that are due; the role's worker does them, with a lease as any action.

    `policy()` is the policy of this moment. An action of a kind or target that is no longer configured is
    left to people.
    """

    database: Database
    handlers: Mapping[str, RotationHandler]
    clock: Clock
    policy: Callable[[], Policy]

    async def work(self) -> float:
        """Look once; return the seconds to wait. Raises StoreAwayError."""
        await asyncio.to_thread(self.look)
        return LOOK_S

    def look(self) -> int:
        """Open every proof that is due; return how many. Nothing while the switch of the settings is on."""
        if self.policy().kill_switch:
            return 0
        now = self.clock()
        opened = 0
        for debt in debt_proving.due(self.database, now):
            handler, target = self.handlers.get(debt.kind), self.policy().target(debt.target_key)
            specs = handler.steps(target) if handler is not None and target is not None else ()
            opened += debt_proving.look_again(self.database, debt.action_id, specs, now)
        if opened:
            structlog.get_logger("davylamp.respond").info("proofs tried again", actions=opened)
        return opened
