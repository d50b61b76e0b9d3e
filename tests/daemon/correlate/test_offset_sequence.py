"""No record may be missing between what was committed and what arrives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from daemon.roles.correlate.sequence import Gap, Sequence


def test_records_in_a_row_have_no_gap() -> None:
    sequence = Sequence()
    assert sequence.follow(1, [(0, 0), (1, 0), (0, 1), (1, 1)]) == []
    assert sequence.follow(1, [(0, 2), (1, 2)]) == []


def test_a_missing_record_is_a_gap_once() -> None:
    sequence = Sequence()
    assert sequence.follow(1, [(0, 0), (0, 2), (0, 3)]) == [Gap(0, 1, 2, first=False)]
    assert sequence.follow(1, [(0, 5)]) == [Gap(0, 4, 5, first=False)]


def test_what_lies_before_the_first_record_is_marked_for_a_look_at_what_was_committed() -> None:
    assert Sequence().follow(1, [(0, 3)]) == [Gap(0, 0, 3, first=True)]


def test_reading_again_is_no_gap() -> None:
    assert Sequence().follow(1, [(0, 0), (0, 1), (0, 0), (0, 1), (0, 2)]) == []


def test_a_new_generation_starts_over() -> None:
    sequence = Sequence()
    assert sequence.follow(1, [(0, 0), (0, 1)]) == []
    assert sequence.follow(2, [(0, 7)]) == [Gap(0, 0, 7, first=True)]
    assert sequence.follow(2, [(0, 8)]) == []


@given(st.sets(st.integers(0, 40)))
def test_exactly_the_missing_offsets_are_named(dropped: set[int]) -> None:
    arriving = [(0, offset) for offset in range(41) if offset not in dropped]
    gaps = Sequence().follow(1, arriving)
    named = {offset for gap in gaps for offset in range(gap.expected, gap.found)}
    last = max((offset for _, offset in arriving), default=-1)
    assert named == {offset for offset in dropped if offset < last}


def test_what_comes_again_is_not_new() -> None:
    sequence = Sequence()
    assert sequence.new(1, [(0, 0), (0, 1), (0, 0), (0, 2), (1, 0)]) == [True, True, False, True, True]


def test_only_what_was_followed_is_known() -> None:
    sequence = Sequence()
    assert sequence.new(1, [(0, 0), (0, 1)]) == [True, True]
    assert sequence.new(1, [(0, 0)]) == [True]
    sequence.follow(1, [(0, 0)])
    assert sequence.new(1, [(0, 0), (0, 1)]) == [False, True]


def test_in_another_generation_everything_is_new_again() -> None:
    sequence = Sequence()
    sequence.follow(1, [(0, 0), (0, 1)])
    assert sequence.new(2, [(0, 0)]) == [True]
