"""One login to PostgreSQL, told apart by the server's own SQLSTATE: let in, refused, or no answer.

libpq gives no SQLSTATE for a failed connection, and the text of the message is in the server's language. So
the protocol trace of libpq (PQtrace) is read: the ErrorResponse in it has the code (PostgreSQL 18, 54.8).
The trace lies in memory only (memfd) and dies with the call.
"""

from __future__ import annotations

import os
import re
import select
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from psycopg import pq
from psycopg.conninfo import make_conninfo

from config.response import DatabaseProbe
from connectors.vault.secret_text import SecretText

REFUSED: Final = frozenset({"28P01", "28000"})
ACCEPTED: Final = "00000"
Verdict: TypeAlias = Literal["accepted", "refused", "unanswered"]

_ERROR: Final = re.compile(
    rb'^B\t\d+\tErrorResponse\t S "[^"\n]{1,40}" V "(?:FATAL|ERROR|PANIC)" C "([0-9A-Z]{5})"', re.MULTILINE
)
_TRACE_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Login:
    """How one login ended. `code` is the SQLSTATE, or a word when there was none (timeout, connection)."""

    verdict: Verdict
    code: str


def conninfo(probe: DatabaseProbe, user: str, password: SecretText, timeout_s: float) -> str:
    """Return the connection string; it holds the password and must not outlive the call.

    Without enforced TLS the password is never sent in clear, whatever the server asks for.
    """
    plain = probe.sslmode in ("disable", "prefer")
    return make_conninfo(
        host=probe.host,
        port=probe.port,
        dbname=probe.dbname,
        user=user,
        password=password.reveal(),
        sslmode=probe.sslmode,
        gssencmode="disable",
        connect_timeout=max(1, round(timeout_s)),
        application_name="davylamp-probe",
        require_auth="!password" if plain else None,
    )


def try_login(
    probe: DatabaseProbe,
    user: str,
    password: SecretText,
    timeout_s: float,
    monotonic: Callable[[], float] = time.monotonic,
) -> Login:
    """Try once to log in, for at most `timeout_s`. Never raises: no answer is an answer of its own."""
    trace = os.memfd_create("davylamp-probe")
    connection = pq.PGconn.connect_start(conninfo(probe, user, password, timeout_s).encode())
    try:
        if connection.status == pq.ConnStatus.BAD:
            return Login("unanswered", "connection")
        connection.trace(trace)
        connection.set_trace_flags(pq.Trace.SUPPRESS_TIMESTAMPS)
        status = _poll(connection, monotonic() + timeout_s, monotonic)
        connection.untrace()
        if status == pq.PollingStatus.OK:
            return Login("accepted", ACCEPTED)
        if status != pq.PollingStatus.FAILED:
            return Login("unanswered", "timeout")
        return _failed(os.pread(trace, _TRACE_BYTES, 0))
    finally:
        connection.finish()
        os.close(trace)


def _poll(connection: pq.abc.PGconn, until: float, monotonic: Callable[[], float]) -> int:
    while True:
        status = connection.connect_poll()
        if status not in (pq.PollingStatus.READING, pq.PollingStatus.WRITING):
            return status
        left = until - monotonic()
        if left <= 0:
            return status
        poller = select.poll()
        poller.register(
            connection.socket, select.POLLIN if status == pq.PollingStatus.READING else select.POLLOUT
        )
        poller.poll(left * 1000)


def _failed(trace: bytes) -> Login:
    found = _ERROR.search(trace)
    if found is None:
        return Login("unanswered", "connection")
    code = found.group(1).decode("ascii")
    return Login("refused" if code in REFUSED else "unanswered", code)
