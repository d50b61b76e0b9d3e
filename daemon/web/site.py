"""What every handler gets: the database, the settings, the clock, the source of randomness, the address."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar, cast
from urllib.parse import urlsplit

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from config.settings import Settings
from connectors.store.database import Database
from daemon.runtime import Health
from daemon.web.audit_budget import AuditBudget
from daemon.web.metrics import WebMetrics
from playbooks.playbook import Playbook

T = TypeVar("T")
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(slots=True)
class Site:
    """One running site. `origin` is scheme://host[:port] as a browser writes it.

    `entropy(n)` returns n random bytes; `clock()` seconds since the epoch, UTC. `open_reading` says that
    pages may be read without a session, which is so on loopback only.
    """

    database: Database
    settings: Settings
    playbooks: Mapping[str, Playbook]
    clock: Callable[[], float]
    entropy: Callable[[int], bytes]
    health: Health
    metrics: WebMetrics
    origin: str
    open_reading: bool
    budget: AuditBudget

    @property
    def secure(self) -> bool:
        """Whether people reach the site by https."""
        return urlsplit(self.origin).scheme == "https"

    @property
    def cookie(self) -> str:
        """The session cookie's name; by https a `__Host-` cookie, which no subdomain can plant."""
        return "__Host-davylamp_session" if self.secure else "davylamp_session"

    @property
    def hosts(self) -> frozenset[str]:
        """The names that a Host header may have."""
        names = {urlsplit(self.origin).hostname or ""}
        if self.settings.web.base_url is not None:
            names.add(urlsplit(self.settings.web.base_url).hostname or "")
        return LOOPBACK_NAMES | (names - {"", "0.0.0.0", "::"})  # noqa: S104 - refused, not bound

    def token(self) -> str:
        """Return a new token of 256 bits, safe in a URL."""
        return base64.urlsafe_b64encode(self.entropy(32)).rstrip(b"=").decode("ascii")

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Run `query` on a reading connection in a thread. Raises StoreAwayError."""

        def call() -> T:
            with self.database.reading() as connection:
                return query(connection)

        return await run_in_threadpool(call)

    async def write(self, change: Callable[[Connection], T]) -> T:
        """Run `change` in one transaction in a thread. Raises StoreAwayError."""

        def call() -> T:
            with self.database.transaction() as connection:
                return change(connection)

        return await run_in_threadpool(call)


def site_of(request: Request) -> Site:
    """Return the site that a request came to."""
    return cast(Site, request.app.state.site)
