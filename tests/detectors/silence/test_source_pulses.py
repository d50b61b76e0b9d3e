"""Pulses: what is read back, what is refused, and sums that no order or repetition changes."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.silence.pulse import Pulse, PulseFormatError
from detectors.silence.tally import Tally, grown, minutes, total

PULSE = Pulse(
    "vault_audit", "vault.audit", 3, 7, 420_000, 7012, (1, 2, 3, 4, 5, 6), 5, 1.5, {"a": 5, "a.b": 2}
)


def test_a_pulse_is_read_back() -> None:
    assert Pulse.from_json(orjson.loads(orjson.dumps(PULSE.to_json()))) == PULSE
    assert PULSE.key == "pulse|vault.audit"


@pytest.mark.parametrize(
    "change",
    [
        {"topic": "a|b"},
        {"topic": ""},
        {"topic": None},
        {"source": 1},
        {"slots": [1] * 5},
        {"slots": [1, 2, 3, 4, 5, -1]},
        {"slots": [True] * 6},
        {"hour": "1"},
        {"hour": 1 << 60},
        {"through": -1},
        {"sampled": None},
        {"delay": "late"},
        {"delay": float("inf")},
        {"fields": [1]},
        {"fields": {"a": -1}},
        {"fields": {str(n): 1 for n in range(257)}},
    ],
)
def test_what_is_no_pulse_is_refused_by_name(change: dict[str, Any]) -> None:
    with pytest.raises(PulseFormatError) as refused:
        Pulse.from_json(PULSE.to_json() | change)
    assert str(refused.value) in change


def _told(blocks: list[list[int]]) -> list[Pulse]:
    """Return the pulses of an hour as a worker tells them: each block a few times as it grows."""
    out: list[Pulse] = []
    for block, growth in enumerate(blocks):
        events = 0
        for step, number in enumerate(growth):
            events += number
            out.append(
                dataclasses.replace(
                    PULSE, block=block, through=block * 1000 + step, slots=(events, 0, 0, 0, 0, 0)
                )
            )
    return out


@given(
    st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=4), min_size=1, max_size=6), st.integers(0, 99)
)
def test_an_hour_is_the_sum_of_its_blocks_whatever_is_told_again(blocks: list[list[int]], seed: int) -> None:
    draw, told = random.Random(seed), _told(blocks)
    again: list[Pulse] = []
    for position, pulse in enumerate(told):
        again.append(pulse)
        if draw.random() < 0.4:
            again += told[draw.randrange(position + 1) : position + 1]
    state = None
    for pulse in again:
        state = grown(state, pulse) or state
    assert state is not None
    assert total([state]).events == sum(map(sum, blocks))


def test_the_median_delay_is_weighed_by_what_was_sampled() -> None:
    tally = Tally()
    for delay, sampled in ((60.0, 10), (600.0, 25), (-300.0, 3)):
        tally.add_pulse(dataclasses.replace(PULSE, delay=delay, sampled=sampled))
    assert tally.median_delay() == 600 and Tally().median_delay() is None


def test_delays_are_bounded() -> None:
    assert minutes(1e300) == 2880 and minutes(-1e9) == -2880 and minutes(89) == 1 and minutes(10_000) == 180


def test_a_sum_keeps_a_bounded_number_of_names() -> None:
    tally = Tally(fields={f"junk{n}": 1 for n in range(256)})
    tally.add(Tally(fields={"user": 9} | {f"more{n}": 1 for n in range(200)}))
    assert len(tally.fields) == 256 and tally.fields["user"] == 9
