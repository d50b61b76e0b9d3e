"""A worker that was put out of its group: it neither acknowledges, nor do its late states count."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from config.settings import Settings
from daemon.roles.correlate import application
from daemon.roles.correlate.acknowledging import Discipline
from daemon.roles.correlate.error import LostMembershipError
from daemon.roles.correlate.evaluation import Evaluation, Record, Write
from daemon.roles.correlate.table import TENURE, StateTable, Tenure

BATCH = [(Record(0, offset, None, b"", 0.0), offset) for offset in (7, 8)]


class Scene:
    """All that a discipline asks of the world, in one journal; question `lost` finds the group lost."""

    def __init__(self, lost: int) -> None:
        self.journal: list[str] = []
        self._left = lost

    def generation(self) -> int:
        return 4

    async def confirm(self, generation: int) -> None:
        self._left -= 1
        self.journal.append(f"asked for {generation}")
        if not self._left:
            raise LostMembershipError("over")

    def evaluate(self, records: Sequence[Record], states: object) -> Evaluation:
        del states
        return Evaluation([], [Write(f"k{record.offset}", b"{}", 0) for record in records])

    def forget(self) -> None:
        """Nothing is kept."""

    def read(self, key: str, partition: int) -> None:
        """There is no state."""

    def keys_of(self, partition: int) -> list[str]:
        del partition
        return []

    async def write(self, key: str, value: bytes | None, partition: int) -> None:
        del value, partition
        self.journal.append(f"write {key}")

    async def publish(self, findings: Sequence[object]) -> None:
        assert not findings

    async def acknowledge(self, offset: int) -> None:
        self.journal.append(f"ack {offset}")

    async def take(self) -> None:
        await Discipline(self, self, self, 1.0, self).take(BATCH, self.acknowledge)


async def test_a_member_is_asked_for_before_it_writes_and_before_it_acknowledges() -> None:
    scene = Scene(lost=0)
    await scene.take()
    assert scene.journal == ["asked for 4", "write k7", "write k8", "asked for 4", "ack 7", "ack 8"]


async def test_a_worker_that_was_put_out_writes_nothing() -> None:
    scene = Scene(lost=1)
    with pytest.raises(LostMembershipError):
        await scene.take()
    assert scene.journal == ["asked for 4"]


async def test_a_worker_that_was_put_out_while_it_wrote_acknowledges_nothing() -> None:
    scene = Scene(lost=2)
    with pytest.raises(LostMembershipError):
        await scene.take()
    assert scene.journal == ["asked for 4", "write k7", "write k8", "asked for 4"]


def _state(key: str, value: bytes, tenure: Tenure | None) -> Any:
    headers = {} if tenure is None else {TENURE: tenure.header()}
    message = SimpleNamespace(key=key, value=value, partition=1, headers=headers)
    return SimpleNamespace(key=key, value=value, message=message)


@pytest.fixture
def recovered(tmp_path: Path) -> StateTable:
    app = application.build(Settings.model_validate({"state_dir": tmp_path}))
    return application.table(app, "states", 4)


def test_a_state_behind_those_of_a_later_owner_is_passed_over(recovered: StateTable) -> None:
    recovered.apply_changelog_batch(
        [
            _state("k", b"first", Tenure(0, 1)),
            _state("k", b"second", Tenure(1, 2)),
            _state("k", b"too late", Tenure(0, 1)),
            _state("other", b"too late", Tenure(0, 1)),
        ]
    )
    assert recovered.read("k", 1) == b"second"
    assert recovered.keys_of(1) == ["k"]


def test_a_tenure_counts_over_batches(recovered: StateTable) -> None:
    recovered.apply_changelog_batch([_state("k", b"second", Tenure(9, 2))])
    recovered.apply_changelog_batch([_state("k", b"too late", Tenure(8, 1))])
    assert recovered.read("k", 1) == b"second"


def test_a_group_that_begins_anew_with_low_generations_goes_on(recovered: StateTable) -> None:
    recovered.apply_changelog_batch(
        [_state("k", b"old life", Tenure(3, 57)), _state("k", b"new life", Tenure(4, 1))]
    )
    assert recovered.read("k", 1) == b"new life"


def test_states_without_a_tenure_are_taken_as_they_come(recovered: StateTable) -> None:
    recovered.apply_changelog_batch([_state("k", b"new", Tenure(3, 2)), _state("k", b"older version", None)])
    assert recovered.read("k", 1) == b"older version"
