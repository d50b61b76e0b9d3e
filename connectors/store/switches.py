"""Kill switches that people engage while the daemon runs: `all`, or `verb:NAME`. And closed breakers.

The pages have a table of their own, for the web role may write no other guard. A switch is on while either
table says so: no clock decides between them. The command line releases both, a page only what a page engaged.
"""

from __future__ import annotations

import re
from typing import Final

from sqlalchemy import Connection, Table, delete, insert, select

from connectors.store import audit
from connectors.store.canonical import storable
from connectors.store.schema import page_switches, switches

BREAKER: Final = "breaker:"
_NAME: Final = re.compile(r"all\Z|verb:[a-z._]{1,59}\Z")
_VERB: Final = re.compile(r"[a-z._]{1,54}\Z")


def engage(connection: Connection, name: str, by: str, now: float, *, page: bool = False) -> None:
    """Engage a switch. Raises ValueError for a name that is neither `all` nor `verb:NAME`."""
    _checked(name)
    _set(connection, page_switches if page else switches, name, True, by, now)
    audit.record(connection, now, by, "switch.engage", name, "done", {"via": "page" if page else "command"})


def release(connection: Connection, name: str, by: str, now: float, *, page: bool = False) -> bool:
    """Release a switch; return whether it is off now. Raises ValueError for a wrong name.

    With `page` only what a page engaged is released.
    """
    _checked(name)
    for table in (page_switches,) if page else (page_switches, switches):
        _set(connection, table, name, False, by, now)
    audit.record(connection, now, by, "switch.release", name, "done", {"via": "page" if page else "command"})
    return name not in engaged(connection)


def engaged(connection: Connection) -> frozenset[str]:
    """Return the names of the engaged switches."""
    found: set[str] = set()
    for table in (switches, page_switches):
        found |= set(connection.execute(select(table.c.name).where(table.c.engaged)).scalars())
    return frozenset(found)


def close_breaker(connection: Connection, verb: str, by: str, now: float) -> None:
    """Trust a verb again: failures up to `now` count no more. Raises ValueError for what is no verb."""
    if not _VERB.match(verb):
        raise ValueError(f"{verb!r} is no verb")
    _set(connection, switches, f"{BREAKER}{verb}", False, by, now)
    audit.record(connection, now, by, "breaker.close", verb, "done")


def _checked(name: str) -> None:
    if not _NAME.match(name):
        raise ValueError(f"switch {name!r} is neither all nor verb:NAME")


def _set(connection: Connection, table: Table, name: str, on: bool, by: str, now: float) -> None:
    connection.execute(delete(table).where(table.c.name == name))
    connection.execute(insert(table).values(name=name, engaged=on, by=storable(by, 256), at=now))
