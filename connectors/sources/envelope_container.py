"""Lines of a container runtime (CRI): time, stream, `F` for full or `P` for partial, text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from typing import Final

from connectors.sources.decoding import SHORTEST
from connectors.sources.layer import Layer, Partial

_CRI: Final = re.compile(
    rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)"
    rb" (stdout|stderr) ([FP])(?::[^ \n]{1,64})?(?: |$)"
)


NO_LINE: Final = Layer(None)
"""Stands for a line among CRI lines that is none."""


def recognise_cri(text: bytes) -> bool:
    """Return whether `text` begins as a CRI line does."""
    return text[:1].isdigit() and _CRI.match(text.partition(b"\n")[0]) is not None


def cri(text: bytes) -> Iterator[Layer]:
    """Yield the text of each line; partial lines of one stream are joined with the full one that ends them.

    A partial line whose end is not in this value comes as `Partial`.
    """
    waiting: dict[bytes, list[bytes]] = {}
    times: dict[bytes, bytes] = {}
    for ended in BytesIO(text):
        line = ended.removesuffix(b"\n")
        found = _CRI.match(line) if len(line) > SHORTEST else None
        if found is None:
            if line and not line.isspace():
                yield NO_LINE
            continue
        parts = waiting.setdefault(found[1], [])
        parts.append(line[found.end() :])
        times[found[1]] = line[: line.index(b" ")]
        if found[2] == b"F":
            yield Layer(b"".join(parts), time=times[found[1]])
            parts.clear()
    for stream, parts in waiting.items():
        if parts:
            yield Layer(Partial(b"".join(parts)), time=times[stream])
