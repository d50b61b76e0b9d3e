"""Ships a log file to its topic, as a log agent does: whole lines, in order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from daemon.demo.pipe import Pipe
from daemon.demo.traffic.record import VAULT, Record

_PAUSE_S: Final = 0.05
_CHUNK_BYTES: Final = 1024 * 1024


class AuditShipper:
    """Follows one file. What the set-up of the stage wrote is not shipped."""

    def __init__(self, path: Path, pipe: Pipe, position: int | None = None, *, topic: str = VAULT) -> None:
        """Begin at `position` (bytes); None: after what the file holds now."""
        self._path = path
        self._pipe = pipe
        self._topic = topic
        self.position = path.stat().st_size if position is None else position
        self._shipping = asyncio.Lock()
        self.shipped = 0

    async def run(self) -> None:
        """Ship until cancelled. Raises StoryError when the broker refuses."""
        while True:
            await self.ship()
            await asyncio.sleep(_PAUSE_S)

    async def ship(self) -> None:
        """Ship the whole lines that stand in the file now; a line still being written waits."""
        async with self._shipping:
            while lines := self._next_lines():
                await self._pipe.send([Record(time.time(), self._topic, line) for line in lines])
                self.shipped += len(lines)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Ship nothing inside: the file grows on (Davylamp uses the vault), an account needs an end."""
        async with self._shipping:
            yield

    def _next_lines(self) -> list[bytes]:
        with self._path.open("rb") as file:
            file.seek(self.position)
            data = file.read(_CHUNK_BYTES)
        whole, newline, _ = data.rpartition(b"\n")
        if not newline:
            return []
        self.position += len(whole) + 1
        return [line for line in whole.split(b"\n") if line]
