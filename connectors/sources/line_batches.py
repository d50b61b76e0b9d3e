"""The lines of a stream, some at a time: what is held in memory has a bound, however long a line is."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import chain, islice
from typing import Final, Protocol

from connectors.sources.envelope_array import WHOLE

LINES: Final = 64
"""Lines in a batch."""
LINE_LIMIT: Final = 32 * 1024 * 1024
"""Bytes; of a longer line its beginning is given, longer than this by one byte or more."""


class Lines(Protocol):
    """A stream of bytes."""

    def readline(self, size: int, /) -> bytes:
        """Return the next line, or as many bytes of it."""
        ...


def batches(first: bytes, stream: Lines) -> Iterator[list[bytes]]:
    """Yield the lines of `stream` with their ends, `first` before them, in lists of up to 64.

    What was read before the stream breaks is yielded before its exception is raised.
    """
    pieces = chain((first,) if first else (), iter(partial(stream.readline, WHOLE + 1), b""))
    while True:
        batch: list[bytes] = []
        try:
            batch.extend(islice(pieces, LINES))
            if batch and max(map(len, batch)) > WHOLE:
                _join(batch, pieces)
        except Exception:
            yield batch
            raise
        if not batch:
            return
        yield batch


def _join(batch: list[bytes], pieces: Iterator[bytes]) -> None:
    """Make lines of the pieces in `batch`; the last one may go on in `pieces`."""
    taken = [*batch]
    batch.clear()
    parts: list[bytes] = []
    for piece in taken:
        parts.append(piece)
        if piece.endswith(b"\n"):
            batch.append(b"".join(parts))
            parts.clear()
    if not parts:
        return
    size = sum(map(len, parts))
    for piece in pieces:
        if size <= LINE_LIMIT:
            parts.append(piece)
        size += len(piece)
        if piece.endswith(b"\n"):
            break
    batch.append(b"".join(parts))
