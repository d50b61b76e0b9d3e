"""Keeps a lease while its worker is busy, from a thread of its own."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

import structlog

from connectors.store.actions import ActionStore
from connectors.store.error import StoreError
from connectors.store.leases import Lease, LeaseLostError
from playbooks.ports import Clock


class Heartbeat:
    """Renews the lease every third of its length. A lost lease ends it; the worker finds out by itself."""

    def __init__(self, store: ActionStore, lease: Lease, clock: Clock, lease_s: float) -> None:
        self._store = store
        self._lease = lease
        self._clock = clock
        self._lease_s = lease_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="davylamp-heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._over.wait(self._lease_s / 3):
            try:
                self._store.renew(self._lease, self._clock(), self._lease_s)
            except LeaseLostError:
                return
            except StoreError as error:
                structlog.get_logger("davylamp.respond").warning("lease not renewed", error=str(error))
