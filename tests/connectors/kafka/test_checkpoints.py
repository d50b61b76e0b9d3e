"""Checkpoints: offset and counters together, in a commit's metadata or in a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from connectors.kafka.checkpoint import (
    Checkpoint,
    CommitMetadata,
    Log,
    decode_counters,
    encode_counters,
)
from connectors.kafka.checkpoint_file import CheckpointFile
from connectors.kafka.error import CheckpointLostError, CheckpointUnreadableError

A, B = TopicPartition("aws.cloudtrail", 0), TopicPartition("odd/name.1", 3)
NAMES = st.sampled_from(["records:read", "events:accepted", "events:ignored:x", "lost_before_read"])


@given(st.dictionaries(NAMES, st.integers(0, 2**62)))
def test_counters_come_back_from_metadata(counters: dict[str, int]) -> None:
    assert decode_counters(encode_counters(counters)) == counters


@given(st.text())
def test_any_metadata_of_another_tool_is_no_counters(text: str) -> None:
    assert decode_counters(text) == {}


@given(st.text(max_size=40))
def test_metadata_with_our_mark_never_raises(text: str) -> None:
    assert isinstance(decode_counters("davylamp1:" + text), dict)


def test_wrong_numbers_are_left_out() -> None:
    assert decode_counters('davylamp1:{"a":-1,"b":true,"c":1.5,"d":"2","e":3}') == {"e": 3}


def test_counters_beyond_the_size_of_a_commit_are_refused_not_cut() -> None:
    with pytest.raises(ValueError, match="a commit holds 4096"):
        encode_counters({f"events:ignored:{n:060d}": 1 for n in range(80)})


async def test_metadata_holds_the_counters_of_its_offset() -> None:
    store = CommitMetadata()
    text = store.metadata(Checkpoint(7, {"records:read": 7}))
    held = await store.load({A: OffsetAndMetadata(7, text), B: None})
    assert held == {A: Checkpoint(7, {"records:read": 7}), B: None}


async def test_the_file_wins_over_the_commit(tmp_path: Path) -> None:
    store = CheckpointFile(tmp_path, "g")
    assert await store.load({A: OffsetAndMetadata(3, ""), B: None}) == {A: Checkpoint(3), B: None}
    await store.save({A: Checkpoint(9, {"records:read": 9}), B: Checkpoint(1)})
    again = CheckpointFile(tmp_path, "g")
    held = await again.load({A: OffsetAndMetadata(3, ""), B: None})
    assert held == {A: Checkpoint(9, {"records:read": 9}), B: Checkpoint(1)}


async def test_a_worker_that_slept_cannot_turn_the_counters_back(tmp_path: Path) -> None:
    asleep, awake = CheckpointFile(tmp_path, "g"), CheckpointFile(tmp_path, "g")
    await asleep.load({A: None})
    await awake.load({A: None})
    await awake.save({A: Checkpoint(10, {"records:read": 10})})
    with pytest.raises(CheckpointLostError, match=r"aws\.cloudtrail/0"):
        await asleep.save({A: Checkpoint(5, {"records:read": 5})})
    assert await awake.load({A: None}) == {A: Checkpoint(10, {"records:read": 10})}


async def test_two_workers_keep_their_own_partitions_in_one_file(tmp_path: Path) -> None:
    one, two = CheckpointFile(tmp_path, "g"), CheckpointFile(tmp_path, "g")
    await one.load({A: None})
    await two.load({B: None})
    for offset in range(1, 4):
        await one.save({A: Checkpoint(offset)})
        await two.save({B: Checkpoint(offset * 10)})
    assert await one.load({A: None, B: None}) == {A: Checkpoint(3), B: Checkpoint(30)}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"schema":"davylamp.checkpoint/1"}',
        '{"schema":"davylamp.checkpoint/1","partitions":{"a/x":1}}',
    ],
)
async def test_a_damaged_file_is_an_error_that_names_it(tmp_path: Path, text: str) -> None:
    store = CheckpointFile(tmp_path, "g")
    store.path.parent.mkdir(parents=True)
    store.path.write_text(text)
    with pytest.raises(CheckpointUnreadableError, match=r"g\.json"):
        await store.load({A: None})


def test_a_group_name_never_leaves_the_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot name a file"):
        CheckpointFile(tmp_path, "../g")


async def test_metadata_holds_the_logs_of_the_group_beside_the_counters() -> None:
    store = CommitMetadata()
    checkpoint = Checkpoint(7, {"records:read": 7}, {"a": Log("id-a", 4), "b": Log("id-b", 1)})
    assert await store.load({A: OffsetAndMetadata(7, store.metadata(checkpoint))}) == {A: checkpoint}


async def test_a_commit_of_another_tool_is_known_as_such() -> None:
    store = CommitMetadata()
    held = await store.load(
        {A: OffsetAndMetadata(7, ""), B: OffsetAndMetadata(7, store.metadata(Checkpoint(7)))}
    )
    assert {tp: found.ours for tp, found in held.items() if found is not None} == {A: False, B: True}


def test_logs_that_do_not_fit_into_a_commit_are_left_out_and_counters_are_not() -> None:
    many = {f"topic-{n:060d}": Log("x" * 22, 4) for n in range(60)}
    text = encode_counters({"records:read": 5}, many)
    assert len(text) <= 4096 and decode_counters(text) == {"records:read": 5}


@pytest.mark.parametrize("logs", ["5", "[]", '{"a":1}', '{"a":["x"]}', '{"a":["x","y"]}', '{"a":[1,2]}'])
async def test_wrong_logs_are_left_out(logs: str) -> None:
    commit = OffsetAndMetadata(3, f'davylamp1:{{"records:read":3,"@logs":{logs}}}')
    assert await CommitMetadata().load({A: commit}) == {A: Checkpoint(3, {"records:read": 3})}


async def test_the_file_keeps_the_log_of_each_partition(tmp_path: Path) -> None:
    store = CheckpointFile(tmp_path, "g")
    await store.load({A: None})
    await store.save({A: Checkpoint(9, {}, {A.topic: Log("id", 4), "other": Log("x", 1)})})
    assert await CheckpointFile(tmp_path, "g").load({A: None}) == {
        A: Checkpoint(9, {}, {A.topic: Log("id", 4)})
    }
