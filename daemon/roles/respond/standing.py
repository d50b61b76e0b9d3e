"""What the role knows at this moment: its policy with its own identities, and the numbers of `status`."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sqlalchemy import func, select

from connectors.store import debt_reading, exposure, releasing
from connectors.store.actions import ActionStore
from connectors.store.schema import OPEN_STATUSES, incidents
from connectors.vault.replies import Identity
from daemon.roles.respond.metrics import RespondMetrics
from playbooks.playbook import Playbook
from playbooks.policy import Policy

UNHELD_S = 60.0


@dataclass(slots=True)
class Standing:
    """Shared by the role's loops; only ever replaced whole, so threads may read it."""

    policy: Policy
    open_incidents: int = 0
    actions: Mapping[str, int] = field(default_factory=dict[str, int])
    breakers: Mapping[str, int] = field(default_factory=dict[str, int])
    identified: bool = False
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def play(self, playbooks: Mapping[str, Playbook]) -> None:
        """Decide by these playbooks from now on; what was begun under others is not judged again."""
        with self._turn:
            self.policy = replace(self.policy, playbooks=playbooks)

    def know(self, identity: Identity) -> None:
        """Add our own identity in the vault; earlier ones stay ours: reads by an older token still arrive."""
        own = {("vault_entity", identity.entity), ("vault_token", identity.accessor)}
        with self._turn:
            known = self.policy.own_identities | {item for item in own if item[1]}
            if known != self.policy.own_identities:
                self.policy = replace(self.policy, own_identities=frozenset(known))
        self.identified = True

    def count(self, store: ActionStore, metrics: RespondMetrics, now: float) -> None:
        """Read the numbers again. Raises StoreAwayError."""
        store.purge_escrow(now)
        counts = store.counts()
        with store.database.reading() as connection:
            self.open_incidents = connection.execute(
                select(func.count()).select_from(incidents).where(incidents.c.status.in_(OPEN_STATUSES))
            ).scalar_one()
            debts, oldest = debt_reading.total(connection)
            breakers = exposure.open_breakers(connection, self.policy.safety, now)
            metrics.containments.set(len(releasing.waiting(connection)))
        for verb in {*self.breakers, *breakers}:
            metrics.breakers.labels(verb).set(verb in breakers)
        self.breakers = breakers
        metrics.revocation_debt.set(debts)
        metrics.revocation_debt_oldest.set(max(0.0, now - oldest) if oldest is not None else 0.0)
        metrics.open_incidents.set(self.open_incidents)
        metrics.without_lease.set(store.executing_without_lease(now - UNHELD_S))
        for state in {*self.actions, *counts}:
            metrics.states.labels(state).set(counts.get(state, 0))
        self.actions = counts
