"""Messages that must go to Kafka because a transaction committed: written with it, sent after it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from connectors.store.canonical import dumps
from connectors.store.schema import outbox
from detectors.event import Fields, Json


class OutboxRow(NamedTuple):
    """One message to send; `seq` orders them."""

    seq: int
    topic: str
    key: str
    value: Fields


def put(connection: Connection, topic: str, key: str, value: Mapping[str, Json], at: float) -> None:
    """Queue one message; `at` is seconds (UTC)."""
    connection.execute(outbox.insert().values(topic=topic, key=key, value=dumps(dict(value)), created_at=at))


def pending(connection: Connection, limit: int) -> list[OutboxRow]:
    """Return the oldest messages not yet confirmed, in order."""
    rows = connection.execute(
        select(outbox.c.seq, outbox.c.topic, outbox.c.key, outbox.c.value)
        .where(outbox.c.sent_at.is_(None))
        .order_by(outbox.c.seq)
        .limit(limit)
    )
    return [OutboxRow(seq, topic, key, json.loads(value)) for seq, topic, key, value in rows]


def waiting(connection: Connection) -> int:
    """Return how many messages are not yet confirmed."""
    return connection.execute(select(func.count()).where(outbox.c.sent_at.is_(None))).scalar_one()


def mark_sent(connection: Connection, seqs: Sequence[int], at: float) -> None:
    """Record that the broker confirmed these messages."""
    if seqs:
        connection.execute(outbox.update().where(outbox.c.seq.in_(list(seqs))).values(sent_at=at))
