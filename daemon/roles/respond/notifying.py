"""Sends the pages that are due and keeps the ledger. A page that is sent twice carries the same key."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from connectors.notify.catalogue import ClosableNotifier
from connectors.store import deliveries
from connectors.store.database import Database
from connectors.store.deliveries import Delivery
from daemon.roles.respond.metrics import RespondMetrics
from playbooks.ports import Clock, NotDeliveredError

IDLE_S: Final = 0.5
MAX_ATTEMPTS: Final = 12
FIRST_RETRY_S: Final = 5.0
LONGEST_RETRY_S: Final = 600.0


def retry_after(attempts: int) -> float | None:
    """Return the seconds to wait after the `attempts`-th failed try, or None to give up."""
    if attempts >= MAX_ATTEMPTS:
        return None
    return min(FIRST_RETRY_S * 2 ** (attempts - 1), LONGEST_RETRY_S)


@dataclass(slots=True)
class Notifying:
    """One notifier's slowness delays no other: each has its own thread."""

    database: Database
    notifiers: Mapping[str, ClosableNotifier]
    clock: Clock
    metrics: RespondMetrics

    async def work(self) -> float:
        """Send what is due; return the seconds to wait. Raises StoreAwayError."""
        due = await asyncio.to_thread(self._due)
        by_notifier: dict[str, list[Delivery]] = {}
        for delivery in due:
            by_notifier.setdefault(delivery.notifier, []).append(delivery)
        await asyncio.gather(*(asyncio.to_thread(self._send, mine) for mine in by_notifier.values()))
        return IDLE_S

    def _due(self) -> list[Delivery]:
        with self.database.reading() as connection:
            return deliveries.due(connection, self.clock())

    def _send(self, due: Sequence[Delivery]) -> None:
        for delivery in due:
            notifier = self.notifiers.get(delivery.notifier)
            if notifier is None:
                self._failed(delivery, NotDeliveredError("the notifier is no longer configured", retry=False))
                return
            try:
                notifier.send(delivery.notification_id, delivery.message)
            except NotDeliveredError as error:
                self._failed(delivery, error)
                continue
            with self.database.transaction() as connection:
                deliveries.delivered(connection, delivery.notification_id, self.clock())
            self.metrics.notifications.labels(delivery.notifier, "delivered").inc()

    def _failed(self, delivery: Delivery, error: NotDeliveredError) -> None:
        now = self.clock()
        wait_s = retry_after(delivery.attempts + 1) if error.retry else None
        with self.database.transaction() as connection:
            next_at = None if wait_s is None else now + wait_s
            deliveries.failed(connection, delivery.notification_id, now, str(error), next_at)
        self.metrics.notifications.labels(delivery.notifier, "retry" if wait_s else "failed").inc()
