"""One-time links and sessions of approvers. Only SHA-256 of a token is stored, never the token.

A link is shown by GET any number of times and spent once by POST (link scanners only GET). Tokens are
made by the caller from its source of randomness; 256 bits, so that a plain SHA-256 is enough.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update

from connectors.store import schema

_CSRF_DOMAIN: Final = b"davylamp.csrf/1"


@dataclass(frozen=True, slots=True)
class Session:
    """A living session; `csrf_sha256` binds forms to it. Times in seconds since the epoch, UTC."""

    approver: str
    csrf_sha256: str
    expires_at: float


def token_sha256(token: str) -> str:
    """Return the hex SHA-256 under which a token is stored."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def csrf_token(session_token: str) -> str:
    """Return the form token of a session: an HMAC, so that it never reveals the session's own token."""
    key = session_token.encode("utf-8", "surrogatepass")
    return hmac.new(key, _CSRF_DOMAIN, hashlib.sha256).hexdigest()


def csrf_matches(session: Session, posted: str) -> bool:
    """Return whether a posted form token belongs to the session, in constant time."""
    return hmac.compare_digest(token_sha256(posted), session.csrf_sha256)


def create_link(connection: Connection, token: str, approver: str, expires_at: float) -> None:
    """Store a one-time link for `approver`; links long past are swept on the way."""
    table = schema.session_links
    connection.execute(delete(table).where(table.c.expires_at < expires_at - 7 * 86_400))
    connection.execute(
        insert(table).values(token_sha256=token_sha256(token), approver=approver, expires_at=expires_at)
    )


def link_owner(connection: Connection, token: str, now: float) -> str | None:
    """Return whose link it is, or None when it is unknown, spent or expired. Spends nothing."""
    return connection.scalar(select(schema.session_links.c.approver).where(_usable(token, now)))


def spend_link(connection: Connection, token: str, now: float) -> str | None:
    """Spend a link: return its owner once, None ever after. One UPDATE decides between two at once."""
    owner = link_owner(connection, token, now)
    spent = connection.execute(update(schema.session_links).where(_usable(token, now)).values(used_at=now))
    return owner if spent.rowcount == 1 else None


def _usable(token: str, now: float) -> ColumnElement[bool]:
    table = schema.session_links
    known = table.c.token_sha256 == token_sha256(token)
    return and_(known, table.c.used_at.is_(None), table.c.expires_at > now)


def open_session(connection: Connection, token: str, approver: str, now: float, expires_at: float) -> Session:
    """Store a session; dead ones are swept on the way."""
    table = schema.sessions
    session = Session(approver, token_sha256(csrf_token(token)), expires_at)
    connection.execute(delete(table).where(table.c.expires_at <= now))
    connection.execute(
        insert(table).values(
            token_sha256=token_sha256(token),
            approver=approver,
            csrf_sha256=session.csrf_sha256,
            created_at=now,
            expires_at=expires_at,
        )
    )
    return session


def session(connection: Connection, token: str, now: float) -> Session | None:
    """Return the living session of a token, or None."""
    table = schema.sessions
    row = connection.execute(
        select(table.c.approver, table.c.csrf_sha256, table.c.expires_at).where(
            table.c.token_sha256 == token_sha256(token), table.c.expires_at > now
        )
    ).first()
    return Session(row.approver, row.csrf_sha256, row.expires_at) if row else None


def close_session(connection: Connection, token: str) -> None:
    """End a session; ending a dead one is no error."""
    connection.execute(delete(schema.sessions).where(schema.sessions.c.token_sha256 == token_sha256(token)))
