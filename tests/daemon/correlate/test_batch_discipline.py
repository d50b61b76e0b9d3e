"""The order of one batch: findings confirmed, states written and confirmed, then acknowledged by offset."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from daemon.roles.correlate.acknowledging import Discipline, in_offset_order, in_two_rounds
from daemon.roles.correlate.evaluation import Evaluation, Record, States, Write
from detectors.event import Entity
from detectors.finding import Finding

FINDING = Finding(
    "r", "t", "low", "low", "final", "vault_audit", "e", ("e",), 1.0, 1.0, 1.0, 1,
    (Entity("k8s_user", "eve", "actor"),), (), "x", "id",
)  # fmt: skip


class Journal(list[str]):
    """What happened, in order."""


class Evaluating:
    def __init__(self, journal: Journal, error: Exception | None = None) -> None:
        self._journal, self._error = journal, error

    def evaluate(self, records: Sequence[Record], states: States) -> Evaluation:
        self._journal.append("evaluate")
        if self._error is not None:
            raise self._error
        return Evaluation([FINDING], [Write("k", b"{}", 0), Write("l", None, 1)])

    def forget(self) -> None:
        """Nothing kept."""


class Publishing:
    def __init__(self, journal: Journal, error: Exception | None = None) -> None:
        self._journal, self._error = journal, error

    async def publish(self, findings: Sequence[Finding]) -> None:
        self._journal.append(f"send {len(findings)}")
        await asyncio.sleep(0)
        if self._error is not None:
            raise self._error
        self._journal.append("findings confirmed")


class Tabling:
    def __init__(self, journal: Journal, error: Exception | None = None, *, hangs: bool = False) -> None:
        self._journal, self._error, self._hangs = journal, error, hangs

    def read(self, key: str, partition: int) -> bytes | None:
        return None

    def keys_of(self, partition: int) -> list[str]:
        return []

    def write(self, key: str, value: bytes | None, partition: int) -> asyncio.Future[None]:
        self._journal.append(f"write {key}")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not self._hangs:
            asyncio.get_running_loop().call_later(0.01, self._confirm, done, key)
        return done

    def _confirm(self, done: asyncio.Future[None], key: str) -> None:
        if done.done():
            return
        if self._error is not None and key == "l":
            done.set_exception(self._error)
            return
        self._journal.append(f"confirmed {key}")
        done.set_result(None)


BATCH = [(Record(p, o, None, b"", 0.0), f"{p}/{o}") for p, o in [(1, 4), (0, 9), (1, 5), (0, 10)]]


async def take(journal: Journal, **parts: Any) -> None:
    async def acknowledge(event: str) -> None:
        journal.append(f"ack {event}")

    discipline = Discipline(
        parts.get("evaluator", Evaluating(journal)),
        parts.get("table", Tabling(journal)),
        parts.get("publisher", Publishing(journal)),
        0.2,
    )
    await discipline.take(BATCH, acknowledge)


async def test_nothing_is_acknowledged_before_findings_and_states_are_confirmed() -> None:
    journal = Journal()
    await take(journal)
    assert journal == [
        "evaluate", "send 1", "findings confirmed", "write k", "write l", "confirmed k", "confirmed l",
        "ack 0/9", "ack 0/10", "ack 1/4", "ack 1/5",
    ]  # fmt: skip


async def test_a_failed_finding_writes_no_state_and_acknowledges_nothing() -> None:
    journal = Journal()
    with pytest.raises(ConnectionError):
        await take(journal, publisher=Publishing(journal, ConnectionError("away")))
    assert journal == ["evaluate", "send 1"]


async def test_a_failed_state_acknowledges_nothing() -> None:
    journal = Journal()
    with pytest.raises(ConnectionError):
        await take(journal, table=Tabling(journal, ConnectionError("away")))
    assert not [line for line in journal if line.startswith("ack")]


async def test_a_state_that_is_never_confirmed_ends_in_a_time_out() -> None:
    journal = Journal()
    with pytest.raises(TimeoutError):
        await take(journal, table=Tabling(journal, hangs=True))
    assert not [line for line in journal if line.startswith("ack")]


async def test_a_failed_evaluation_acknowledges_nothing() -> None:
    journal = Journal()
    with pytest.raises(ZeroDivisionError):
        await take(journal, evaluator=Evaluating(journal, ZeroDivisionError()))
    assert journal == ["evaluate"]


def test_the_order_is_by_offset_within_each_partition() -> None:
    assert [name for _, name in in_offset_order(BATCH)] == ["0/9", "0/10", "1/4", "1/5"]


def test_the_last_write_of_each_partition_goes_alone_after_the_others() -> None:
    writes = [Write("a", b"", 0), Write("b", b"", 1), Write("c", b"", 0), Write("d", b"", 0)]
    first, last = in_two_rounds(writes)
    assert [write.key for write in first] == ["a", "c"]
    assert sorted(write.key for write in last) == ["b", "d"]
    assert in_two_rounds([]) == ([], [])
