"""Pulses of a partition: the same whatever the batches and restarts, told before their time is over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from connectors.sources.catalogue import profile
from daemon.roles.detect.pulse import MAX_HOURS, SAMPLE_FIRST, PartitionPulse, reread_from
from detectors.event import Event, Locator
from detectors.silence.clock import HOUR_S, SLOT_S
from detectors.silence.pulse import Pulse

TP = TopicPartition("vault.audit", 0)
START = 420_000 * HOUR_S


def event(offset: int, at: float, **fields: Any) -> Event:
    return Event(profile("vault_audit"), at - 3, {"type": "response", **fields}, Locator(*TP, offset, 0))


def read(pulse: PartitionPulse, offset: int, at: float, **fields: Any) -> None:
    """Take in a record of one event."""
    if pulse.begin(offset, int(at * 1000)):
        pulse.sample(event(offset, at, **fields), int(at * 1000))
    pulse.count(1)


def tell(pulse: PartitionPulse, reached: float) -> list[Pulse]:
    """Do what a heartbeat does that is about to say `reached`."""
    due = pulse.due(reached)
    for said, hour in due:
        pulse.told(said, hour)
    return [said for said, _ in due]


def last(pulses: Iterable[Pulse]) -> dict[object, Pulse]:
    """Return what correlate keeps: of each id the one that reaches furthest."""
    kept: dict[object, Pulse] = {}
    for pulse in pulses:
        place = (pulse.block, pulse.hour)
        if place not in kept or kept[place].through <= pulse.through:
            kept[place] = pulse
    return kept


def told(steps: Sequence[int], beats: set[int], restart: int | None) -> dict[object, Pulse]:
    """Read from offset 990 on, `steps` seconds apart; beat and restart at these positions."""
    out: list[Pulse] = []
    pulse, at = PartitionPulse(TP, "vault_audit"), [float(START)]
    for step in steps:
        at.append(at[-1] + step)
    for position in range(len(steps)):
        offset = 990 + position
        if position == restart:
            pulse = PartitionPulse(TP, "vault_audit")
            for earlier in range(max(990, reread_from(offset)), offset):
                read(pulse, earlier, at[earlier - 990])
        read(pulse, offset, at[position])
        out += pulse.finished()
        if position in beats:
            out += tell(pulse, at[position])
    out += [*pulse.finished(), *tell(pulse, at[-1] + HOUR_S)]
    return last(out)


@given(
    st.lists(st.integers(0, 2000), min_size=1, max_size=40),
    st.sets(st.integers(0, 39)),
    st.integers(0, 39),
)
def test_the_last_pulses_do_not_depend_on_batches_or_restarts(
    steps: list[int], beats: set[int], restart: int
) -> None:
    whole = told(steps, set(), None)
    assert sum(sum(pulse.slots) for pulse in whole.values()) == len(steps)
    assert told(steps, beats, None) == whole
    assert told(steps, beats, restart) == whole


def test_nothing_is_told_before_its_ten_minutes_are_over() -> None:
    pulse = PartitionPulse(TP, "vault_audit")
    read(pulse, 0, START + 5)
    assert tell(pulse, START + SLOT_S - 1) == []
    (said,) = tell(pulse, START + SLOT_S)
    assert said.slots == (1, 0, 0, 0, 0, 0) and said.hour == 420_000 and said.delay == 3.0
    assert tell(pulse, START + 3 * SLOT_S) == [], "what was told is not told again"
    read(pulse, 1, START + 6)
    (said,) = tell(pulse, START + 3 * SLOT_S)
    assert said.slots[0] == 2 and said.through == 1


def test_what_comes_while_a_pulse_is_being_told_is_told_later() -> None:
    pulse = PartitionPulse(TP, "vault_audit")
    read(pulse, 0, START)
    ((said, hour),) = pulse.due(START + SLOT_S)
    read(pulse, 1, START + 1)
    pulse.told(said, hour)
    assert [again.slots[0] for again in tell(pulse, START + SLOT_S)] == [2]


def test_a_finished_block_is_told_with_its_batch() -> None:
    pulse = PartitionPulse(TP, "vault_audit")
    read(pulse, 999, START)
    assert list(pulse.finished()) == []
    read(pulse, 1000, START)
    (said,) = pulse.finished()
    assert said.block == 0 and said.through == 999


def test_the_shape_is_sampled_and_empty_values_are_no_fields() -> None:
    pulse = PartitionPulse(TP, "vault_audit")
    for offset in range(500):
        read(pulse, offset, START, auth={"entity_id": "e", "token": {}}, error="" if offset % 2 else "x")
    (said,) = tell(pulse, START + HOUR_S)
    assert said.sampled == SAMPLE_FIRST + len(range(64, 500, 64)), "0 is among the first"
    assert said.fields["type"] == said.fields["auth.entity_id"] == said.sampled
    assert 0 < said.fields["error"] < said.sampled


def test_invented_names_are_bounded_and_cut_nothing_usual() -> None:
    pulse = PartitionPulse(TP, "vault_audit")
    junk = {f"j{n}": {f"k{m}": 1 for m in range(300)} for n in range(400)}
    for offset in range(50):
        read(pulse, offset, START, **{"x" * 5000: 1, "new\nline": 1}, **junk)
    (said,) = tell(pulse, START + HOUR_S)
    assert len(said.fields) <= 256 and max(map(len, said.fields)) <= 64 and "new\nline" not in said.fields
    assert said.fields["type"] == said.sampled


def test_append_times_that_jump_keep_a_bounded_number_of_hours_and_lose_no_event() -> None:
    pulse, out = PartitionPulse(TP, "vault_audit"), list[Pulse]()
    for offset in range(900):
        read(pulse, offset, START + (offset * 7919 % 100) * HOUR_S)
        out += pulse.finished()
        assert len(pulse._hours) <= MAX_HOURS
    out += tell(pulse, START + 200 * HOUR_S)
    assert sum(sum(said.slots) for said in last(out).values()) == 900
