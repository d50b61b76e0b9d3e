"""What the thief does for real: reads passwords from the vault, logs in to the database, stays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import psycopg

from config.response import DatabaseProbe
from connectors.rotation.login import Login, try_login
from connectors.vault.secret_text import SecretText
from daemon.demo.database_scene import ANALYTICS
from daemon.demo.error import StoryError
from daemon.demo.parts.openbao import OpenBaoPart
from daemon.demo.parts.ports import LOOPBACK
from daemon.demo.parts.postgres import PostgresPart
from daemon.demo.traffic.platform import Pod, Workload
from daemon.demo.vault_scene import login

_LOGIN_S: Final = 3.0


@dataclass(slots=True)
class Thief:
    """Sits in `pod` of `workload` with its service account token, and speaks from its address."""

    vault: OpenBaoPart
    postgres: PostgresPart
    workload: Workload
    pod: Pod
    account_token: str = field(repr=False)
    _vault_token: str = field(default="", repr=False)
    _password: str = field(default="", repr=False)
    _session: psycopg.Connection | None = field(default=None, repr=False)

    def read_password(self) -> str:
        """Log in to the vault and read the password of `analytics`. Returns the vault's request id."""
        auth = login(self.vault, self.workload, self.pod, self.account_token)
        self._vault_token = str(auth["client_token"])
        request_id, self._password = self._read("analytics")
        return request_id

    def read_more(self) -> str:
        """Read the password of `customer-records` too. Returns the vault's request id."""
        return self._read("customer-records")[0]

    def open_session(self) -> int:
        """Log in to the database with what was read, and stay. Returns the rows seen. Raises StoryError."""
        dsn = self.postgres.dsn_for(ANALYTICS, self._password)
        try:
            self._session = psycopg.connect(dsn, autocommit=True, application_name="psql")
        except psycopg.Error:
            raise StoryError("the stolen password does not work: nothing was stolen") from None
        row = self._session.execute("SELECT count(*) FROM valuations").fetchone()
        return int(row[0]) if row else 0

    def session_lives(self) -> bool:
        """Ask the held session for something. Returns False when the server has ended it."""
        if self._session is None or self._session.closed:
            return False
        try:
            self._session.execute("SELECT 1")
        except psycopg.Error:
            self._session.close()
            return False
        return True

    def try_again(self) -> Login:
        """Log in once more with the stolen password; the server's own word is returned."""
        probe = DatabaseProbe(host=LOOPBACK, port=self.postgres.port, sslmode="disable")
        return try_login(probe, ANALYTICS, SecretText(self._password), _LOGIN_S)

    def leave(self) -> None:
        """Close what is held."""
        if self._session is not None:
            self._session.close()

    def _read(self, name: str) -> tuple[str, str]:
        path = f"database/static-creds/{name}"
        reply = self.vault.call("GET", path, token=self._vault_token, client_address=self.pod.address)
        return str(reply["request_id"]), str(reply["data"]["password"])
