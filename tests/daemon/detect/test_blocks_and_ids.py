"""Flow blocks are the same however they are read; ids are counted exactly; output stays small."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from connectors.kafka.batch import Loss
from connectors.sources.catalogue import profile
from daemon.roles.detect.blocks import MAX_EDGES, PartitionBlocks, block_start
from daemon.roles.detect.loss import loss_finding
from daemon.roles.detect.outputs import MAX_OUTPUT_BYTES, finding_message
from daemon.roles.detect.repeated import RepeatedIds
from detectors.event import Contact, Entity, Event, Locator
from detectors.finding import Finding

TP = TopicPartition("vault.audit", 0)


def event(offset: int, time: float = 0.0) -> Event:
    return Event(
        profile("vault_audit"),
        time,
        {"type": "response", "request": {"id": f"r{offset}"}},
        Locator(*TP, offset, 0),
    )


def contact(peer: int) -> Contact:
    return Contact("credential_reader", ("vault_entity", "e"), ("credential", f"database:database/{peer}"), 3)


def flows(cuts: Sequence[int], peers: Sequence[int], reread_at: int | None) -> Mapping[str, object]:
    """Read offsets 990.. in pieces; perhaps begin anew at one place, from the block's start."""
    last: dict[str, object] = {}
    blocks = PartitionBlocks(TP)
    for position, peer in enumerate(peers):
        offset = 990 + position
        if position == reread_at:
            blocks = PartitionBlocks(TP)
            for earlier in range(max(990, block_start(offset)), offset):
                blocks.add(event(earlier, earlier % 7), [contact(peers[earlier - 990])], told=True)
        blocks.add(event(offset, offset % 7), [contact(peer)], told=False)
        if position in cuts:
            last |= {flow.to_json()["flow_id"]: flow.to_json() for flow in blocks.changed()}  # type: ignore[misc]
    last |= {flow.to_json()["flow_id"]: flow.to_json() for flow in blocks.changed()}  # type: ignore[misc]
    return last


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.sets(st.integers(0, 39)), st.integers(0, 39))
def test_the_last_flow_records_do_not_depend_on_batches_or_restarts(
    peers: list[int], cuts: set[int], restart: int
) -> None:
    whole = flows((), peers, None)
    assert flows(sorted(cuts), peers, None) == whole
    assert flows([*cuts, restart - 1], peers, restart) == whole


def test_a_restart_does_not_write_again_what_was_told() -> None:
    blocks = PartitionBlocks(TP)
    blocks.add(event(5), [contact(1)], told=True)
    assert list(blocks.changed()) == []
    blocks.add(event(6), [contact(1)], told=False)
    (flow,) = blocks.changed()
    assert flow.count == 2 and flow.bytes_out == 6 and flow.key == "credential_reader|vault_entity:e"


def test_a_block_holds_a_bounded_number_of_edges_and_counts_the_rest() -> None:
    blocks = PartitionBlocks(TP)
    over = sum(blocks.add(event(5), [contact(n)], told=False) for n in range(MAX_EDGES + 7))
    assert over == 7 and len(list(blocks.changed())) == MAX_EDGES


def test_an_id_is_repeated_only_within_its_source_and_the_bound() -> None:
    ids = RepeatedIds(2)
    assert [ids.seen("a", "1"), ids.seen("a", "1"), ids.seen("b", "1"), ids.seen("b", "1")] == [
        False,
        True,
        False,
        True,
    ]
    ids.seen("a", "2")
    ids.seen("a", "3")
    assert len(ids) == 2 and not ids.seen("b", "1")


def test_a_batch_that_is_read_again_is_not_repeated() -> None:
    ids = RepeatedIds(10)
    ids.begin_batch()
    ids.seen("a", "1")
    ids.begin_batch()
    ids.seen("a", "2")
    ids.forget_batch()
    assert not ids.seen("a", "2") and ids.seen("a", "1")


def test_no_memory_means_no_repetition() -> None:
    ids = RepeatedIds(0)
    assert not ids.seen("a", "1") and not ids.seen("a", "1")


def test_a_loss_is_told_with_the_same_id_each_time() -> None:
    loss = Loss(TopicPartition("aws.cloudtrail", 0), "retention", 10, 25, 15)
    first, again = loss_finding(loss, "cloudtrail", 1.0), loss_finding(loss, "cloudtrail", 99.0)
    assert (
        first.finding_id == again.finding_id and first.level == "critical" and "15 records" in first.explain
    )


def test_a_blown_up_finding_is_cut_below_what_a_topic_takes() -> None:
    huge = Finding(
        rule_id="r",
        title="T",
        level="high",
        base_level="high",
        status="final",
        source="cloudtrail",
        event_id="e",
        event_ids=("e",),
        event_time=0.0,
        first_time=0.0,
        last_time=0.0,
        count=1,
        entities=tuple(Entity("pod", "\ud800" + "p" * 20_000, "actor") for _ in range(200)),
        attack=(),
        explain="x" * 1_000_000,
        finding_id="f",
    )
    message = finding_message(huge)
    assert len(message.value) < MAX_OUTPUT_BYTES
    assert Finding.from_json(orjson.loads(message.value)).finding_id == "f"
    assert message.key is not None and len(message.key) <= 1024
