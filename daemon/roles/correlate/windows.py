"""Windows in memory between batches, so that a state is not read from JSON each time it is needed.

The table is the truth: a window counts only while the table holds the very bytes that were written of it.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import orjson

from detectors.sigma.window import Window

MAX_BYTES: Final = 96 * 1024 * 1024
_OBJECTS: Final = 6 * 1024
"""What a window takes in memory beyond its JSON, which its held matches take a few times more (measured)."""
_TIMES: Final = 4
Owner: TypeAlias = tuple[int, str]


class Windows:
    """The windows used last, by (partition, key); of about `most` bytes of memory together."""

    def __init__(self, most: int = MAX_BYTES) -> None:
        self._most = most
        self._bytes = 0
        self._kept: dict[Owner, tuple[bytes, Window]] = {}

    def read(self, owner: Owner, value: bytes) -> Window:
        """Return the window of a state, the one in memory if it is of these bytes; it is kept no longer."""
        known = self._kept.pop(owner, None)
        if known is not None:
            if known[0] == value:
                self._kept[owner] = known
                return known[1]
            self._bytes -= memory_of(known[0])
        window = Window.from_json(orjson.loads(value))
        self.keep(owner, value, window)
        return window

    def keep(self, owner: Owner, value: bytes, window: Window) -> None:
        """Keep a window whose state is `value`; those used longest ago make room."""
        known = self._kept.pop(owner, None)
        if known is not None:
            self._bytes -= memory_of(known[0])
        self._kept[owner] = value, window
        self._bytes += memory_of(value)
        while self._bytes > self._most and self._kept:
            oldest = next(iter(self._kept))
            self._bytes -= memory_of(self._kept.pop(oldest)[0])

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
        self._bytes = 0


def memory_of(value: bytes) -> int:
    """Return about how many bytes a window and its state `value` take together."""
    return _OBJECTS + _TIMES * len(value)
