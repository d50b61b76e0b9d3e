"""How far a consumer has read, kept in the same database as what it made of it."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, delete, select

from connectors.store.schema import offsets


def read(connection: Connection, consumer: str) -> dict[tuple[str, int], int]:
    """Return (topic, partition) -> the next offset to read."""
    rows = connection.execute(
        select(offsets.c.topic, offsets.c.partition, offsets.c.next_offset).where(
            offsets.c.consumer == consumer
        )
    )
    return {(topic, partition): next_offset for topic, partition, next_offset in rows}


def write(connection: Connection, consumer: str, next_offsets: Mapping[tuple[str, int], int]) -> None:
    """Set the next offset of each partition; it may go back (a rewind, a topic made anew)."""
    for (topic, partition), next_offset in next_offsets.items():
        connection.execute(
            delete(offsets).where(
                offsets.c.consumer == consumer, offsets.c.topic == topic, offsets.c.partition == partition
            )
        )
        connection.execute(
            offsets.insert().values(
                consumer=consumer, topic=topic, partition=partition, next_offset=next_offset
            )
        )
