"""Kill switches that people engage while the daemon runs: `all`, or `verb:NAME`."""

from __future__ import annotations

import re
from typing import Final

from sqlalchemy import Connection, delete, insert, select

from connectors.store import audit
from connectors.store.canonical import storable
from connectors.store.schema import switches

_NAME: Final = re.compile(r"all\Z|verb:[a-z._]{1,59}\Z")


def engage(connection: Connection, name: str, by: str, now: float) -> None:
    """Engage a switch. Raises ValueError for a name that is neither `all` nor `verb:NAME`."""
    _set(connection, name, True, by, now)


def release(connection: Connection, name: str, by: str, now: float) -> None:
    """Release a switch. Raises ValueError for a wrong name."""
    _set(connection, name, False, by, now)


def engaged(connection: Connection) -> frozenset[str]:
    """Return the names of the engaged switches."""
    return frozenset(connection.execute(select(switches.c.name).where(switches.c.engaged)).scalars())


def _set(connection: Connection, name: str, on: bool, by: str, now: float) -> None:
    if not _NAME.match(name):
        raise ValueError(f"switch {name!r} is neither all nor verb:NAME")
    connection.execute(delete(switches).where(switches.c.name == name))
    connection.execute(insert(switches).values(name=name, engaged=on, by=storable(by, 256), at=now))
    audit.record(connection, now, by, "switch.engage" if on else "switch.release", name, "done")
