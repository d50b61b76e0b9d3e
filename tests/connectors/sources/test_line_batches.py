"""Lines come whole and in their order, however long they are, and a break loses none that came before."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sources.catalogue import profile
from connectors.sources.envelope_array import WHOLE
from connectors.sources.files import read_events
from connectors.sources.line_batches import LINE_LIMIT, LINES, batches
from connectors.sources.reject import Reject

LENGTHS = st.sampled_from([0, 1, 7, WHOLE - 1, WHOLE, WHOLE + 1, 2 * WHOLE, 3 * WHOLE + 5])
EVENT = (
    b'{"eventName":"a","eventSource":"s3.amazonaws.com","eventTime":"2026-11-20T08:15:30Z","eventID":"e%d"}\n'
)


class Breaking(io.BytesIO):
    """A stream that raises where it ends."""

    def readline(self, size: int | None = -1, /) -> bytes:
        found = super().readline(size)
        if not found:
            raise EOFError
        return found


def lines_of(stream: io.BytesIO) -> Iterator[bytes]:
    for batch in batches(stream.readline(LINE_LIMIT + 1), stream):
        assert 0 < len(batch) <= LINES
        yield from batch


@settings(max_examples=40, deadline=None)
@given(st.lists(LENGTHS, max_size=6), st.integers(0, 2 * LINES), st.booleans())
def test_every_line_comes_once_and_whole(lengths: list[int], short: int, ended: bool) -> None:
    lines = [b"a\n"] * short + [b"x" * length + b"\n" for length in lengths] + [b"b\n"] * short
    if lines and not ended:
        lines[-1] = lines[-1].rstrip(b"\n")
    text = b"".join(lines)
    assert list(lines_of(io.BytesIO(text))) == text.splitlines(keepends=True)


def test_a_break_keeps_the_lines_before_it() -> None:
    stream, found = Breaking(b"a\n" * 100 + b"x" * (WHOLE + 9)), []
    with pytest.raises(EOFError):
        for line in lines_of(stream):
            found.append(line)
    assert found[:100] == [b"a\n"] * 100


def test_a_line_over_the_limit_is_one_reject_and_the_next_line_has_its_number(tmp_path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(EVENT % 1 + b'"' + b"x" * (LINE_LIMIT + 3 * WHOLE) + b"\n" + EVENT % 3)
    found = list(read_events(path, profile("cloudtrail")))
    assert [item.reason.value if isinstance(item, Reject) else item.event_id for item in found] == [
        "e1",
        "too_large",
        "e3",
    ]
    assert [item.locator.offset for item in found if item.locator] == [1, 2, 3]
