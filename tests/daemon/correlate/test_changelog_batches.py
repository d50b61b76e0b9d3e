"""Writes of one turn of the loop go out together: one batch stands or falls with all of its keys."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from daemon.roles.correlate.changelog import Changelog


class Builder:
    """A batch of at most so many records."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.records: list[tuple[bytes, bytes | None, tuple[Any, ...]]] = []
        self.closed = False

    def append(
        self, *, timestamp: None, key: bytes, value: bytes | None, headers: list[Any]
    ) -> object | None:
        assert not self.closed
        if len(self.records) == self._most:
            return None
        self.records.append((key, value, tuple(headers)))
        return self.records

    def close(self) -> None:
        self.closed = True


class Producer:
    """Confirms when told to."""

    def __init__(self, most: int = 100) -> None:
        self._most = most
        self.sent: list[tuple[str, int, Builder, asyncio.Future[None]]] = []

    def create_batch(self) -> Builder:
        return Builder(self._most)

    async def send_batch(self, batch: Builder, topic: str, *, partition: int) -> asyncio.Future[None]:
        assert batch.closed
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sent.append((topic, partition, batch, future))
        return future

    def keys(self) -> list[tuple[int, list[bytes]]]:
        return [(partition, [key for key, *_ in batch.records]) for _, partition, batch, _ in self.sent]


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_puts_of_one_turn_are_one_batch_a_partition_in_their_order() -> None:
    producer = Producer()
    changelog = Changelog(producer, "log")
    tasks = [changelog.put(n % 2, b"%d" % n, b"v", (("h", b"1"),)) for n in range(4)]
    await turn()
    assert producer.keys() == [(0, [b"0", b"2"]), (1, [b"1", b"3"])]
    assert producer.sent[0][2].records[0] == (b"0", b"v", (("h", b"1"),))
    later = changelog.put(0, b"later", None)
    await turn()
    assert producer.keys()[2:] == [(0, [b"later"])]
    assert not any(task.done() for task in [*tasks, later])
    for *_, confirmed in producer.sent:
        confirmed.set_result(None)
    await asyncio.gather(*tasks, later)


async def test_a_full_batch_is_followed_by_another() -> None:
    producer = Producer(most=2)
    changelog = Changelog(producer, "log")
    tasks = [changelog.put(0, b"%d" % n, b"v") for n in range(5)]
    await turn()
    assert producer.keys() == [(0, [b"0", b"1"]), (0, [b"2", b"3"]), (0, [b"4"])]
    for *_, confirmed in producer.sent:
        confirmed.set_result(None)
    await asyncio.gather(*tasks)


async def test_a_refused_batch_fails_all_of_its_writes_and_no_others() -> None:
    producer = Producer()
    changelog = Changelog(producer, "log")
    lost, kept = [changelog.put(0, key, b"v") for key in (b"a", b"b")], changelog.put(1, b"c", b"v")
    await turn()
    producer.sent[0][3].set_exception(ConnectionError("away"))
    producer.sent[1][3].set_result(None)
    await kept
    for write in lost:
        with pytest.raises(ConnectionError):
            await write
