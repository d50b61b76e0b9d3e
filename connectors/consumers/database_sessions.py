"""The open sessions of two database users, the old credential's and the new one's, as sightings."""

from __future__ import annotations

from typing import Final, LiteralString

from connectors.rotation.sessions import Observer
from playbooks.consumers import Sighting, shown

MAX_ROWS: Final = 2_048
_SEEN: Final[LiteralString] = (
    "SELECT usename::text = %s AS old, coalesce(left(application_name, 64), '') AS application,"
    " coalesce(host(client_addr), '') AS address FROM pg_stat_activity"
    " WHERE usename IN (%s, %s) AND pid <> pg_backend_pid()"
    " GROUP BY old, application, address ORDER BY old DESC, application, address LIMIT %s"
)


def sessions_seen(observer: Observer, old: str, new: str, now: float) -> list[Sighting]:
    """Return who has a session as the user `old` or `new`, each application and address once; old ones first.

    At most 2,048, which is more than a `Convergence` takes. Without `pg_read_all_stats` PostgreSQL hides
    names and addresses, and all sessions are one. Raises ObserverAwayError.
    """
    with observer.connection() as connection:
        rows = connection.execute(_SEEN, (old, old, new, MAX_ROWS)).fetchall()
    return [_sighting(bool(row[0]), str(row[1]), str(row[2]), now) for row in rows]


def _sighting(old: bool, application: str, address: str, now: float) -> Sighting:
    place = address or "the server's own machine"
    return Sighting(
        how="session",
        side="old" if old else "new",
        at=now,
        name=shown(application) or f"unnamed at {place}",
        place=place,
        application=application,
        address=address,
    )
