"""Everything is read once more from the first offset: no new incident, action or page may come of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import delete

from config.settings import Settings
from connectors.kafka.rewind import rewind
from connectors.kafka.topics import AUDIT, FINDINGS, FLOWS, INCIDENTS, MATCHES
from connectors.store import schema
from connectors.store.database import Database
from daemon.demo.daemon_child import DaemonChild
from daemon.demo.offsets import DETECT_GROUP, read_by, respond_is_at_end, until
from daemon.demo.watching import Seen, look

CORRELATE_GROUP: Final = "davylamp-correlate"
RESPOND_GROUP: Final = "davylamp-respond"
_CAUGHT_UP_S: Final = 120.0
_SESSIONS_OVER_S: Final = 2.5
_SETTLE_S: Final = 4.0
_LOOK_S: Final = 0.3


async def play_again(
    settings: Settings, daemon: DaemonChild, database: Database, sent: Mapping[tuple[str, int], int]
) -> dict[str, int] | None:
    """Rewind every group, read all again and return what is new; None when it never caught up.

    The first pass is over when nothing has changed for some seconds: pages follow their incidents.
    Raises PartFailedError, StoreError, aiokafka.errors.KafkaError.
    """
    first = await _settled(database)
    daemon.stop()
    await asyncio.sleep(settings.kafka.session_timeout_s + _SESSIONS_OVER_S)
    await _rewind_all(settings)
    await asyncio.to_thread(_forget_offsets, settings)
    daemon.start()
    await asyncio.to_thread(daemon.wait_ready)
    if not await _caught_up(settings, database, sent):
        return None
    second = await _settled(database)
    return _new(first, second) if await _caught_up(settings, database, sent) else None


async def _settled(database: Database) -> Seen:
    """Return what stands in the database once it has stood still."""
    seen = await asyncio.to_thread(look, database)
    still_since = time.monotonic()
    give_up = still_since + _CAUGHT_UP_S
    while time.monotonic() - still_since < _SETTLE_S and time.monotonic() < give_up:
        await asyncio.sleep(_LOOK_S)
        latest = await asyncio.to_thread(look, database)
        if latest != seen:
            seen, still_since = latest, time.monotonic()
    return seen


async def _rewind_all(settings: Settings) -> None:
    raw = tuple(settings.kafka.topics.kinds())
    await rewind(settings, [DETECT_GROUP], raw)
    await rewind(settings, [CORRELATE_GROUP], (MATCHES, FLOWS))
    await rewind(settings, [RESPOND_GROUP], (FINDINGS,))
    forwarding = [f"davylamp-forward-{target.name}" for target in settings.forwarding.targets]
    await rewind(settings, forwarding, (*raw, FINDINGS, INCIDENTS, AUDIT))


def _forget_offsets(settings: Settings) -> None:
    """Respond's place is in SQL: take it away, and it begins at the first finding."""
    database = Database(settings.response.database_url.reveal())
    try:
        with database.transaction() as connection:
            connection.execute(delete(schema.offsets))
    finally:
        database.close()


async def _caught_up(settings: Settings, database: Database, sent: Mapping[tuple[str, int], int]) -> bool:
    total = sum(sent.values())

    async def detect_has_all() -> bool:
        return await read_by(settings, DETECT_GROUP, sent) >= total

    async def respond_has_all() -> bool:
        return await respond_is_at_end(settings, database)

    return await until(detect_has_all, _CAUGHT_UP_S) and await until(respond_has_all, _CAUGHT_UP_S)


def _new(first: Seen, second: Seen) -> dict[str, int]:
    def count(before: set[Any], after: set[Any]) -> int:
        return len(after - before)

    return {
        "incidents": count({i.id for i in first.incidents}, {i.id for i in second.incidents}),
        "actions": count({a.id for a in first.actions}, {a.id for a in second.actions}),
        "pages": count(set(first.pages), set(second.pages)),
    }
