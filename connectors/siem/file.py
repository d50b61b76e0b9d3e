"""ECS documents as JSON Lines, one file a data stream, rotated by size; synced before it counts.

At least once: after a crash a batch may stand twice; each line carries `event.id`.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from connectors.ecs.stream import Document, data_stream
from connectors.siem.target import DELIVERED, ItemOutcome, TargetAwayError


class FileSiem:
    """Writes `FOLDER/logs-davylamp.STREAM-NAMESPACE.jsonl`; older parts end in `.1` (newest) to `.KEEP`.

    Files are readable by their owner only. `max_bytes` bounds one file, `keep` the older parts.
    """

    def __init__(self, name: str, folder: Path, namespace: str, max_bytes: int, keep: int) -> None:
        self.name = name
        self._folder = folder
        self._namespace = namespace
        self._max_bytes = max_bytes
        self._keep = keep

    async def open(self) -> None:
        """Make the folder and cut off a line that a crash left unfinished. Raises TargetAwayError."""
        await self._away_on_error(self._prepare)

    async def deliver(self, batch: Sequence[Document]) -> Sequence[ItemOutcome]:
        """Append, sync, then return: every document is on disk. Raises TargetAwayError (disk full, ...)."""
        lines: defaultdict[str, list[bytes]] = defaultdict(list)
        for document in batch:
            lines[data_stream(document.stream, self._namespace)].append(document.payload + b"\n")
        await self._away_on_error(lambda: self._append(lines))
        return [DELIVERED] * len(batch)

    async def close(self) -> None:
        """Nothing is kept open between batches."""

    async def _away_on_error(self, work: Callable[[], None]) -> None:
        try:
            await asyncio.to_thread(work)
        except OSError as error:
            raise TargetAwayError(f"{self.name}: {self._folder}: {error.strerror or error}") from error

    def _prepare(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in self._folder.glob("logs-davylamp.*.jsonl"):
            _cut_unfinished(path)

    def _append(self, lines: dict[str, list[bytes]]) -> None:
        for stream, new in lines.items():
            path = self._folder / f"{stream}.jsonl"
            for part in _parts(new, self._max_bytes):
                self._write(path, part)

    def _write(self, path: Path, part: bytes) -> None:
        held = path.stat().st_size if path.exists() else 0
        if held and held + len(part) > self._max_bytes:
            self._rotate(path)
            held = 0
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            view = memoryview(part)
            try:
                while view:
                    view = view[os.write(handle, view) :]
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, held)
                raise
        finally:
            os.close(handle)

    def _rotate(self, path: Path) -> None:
        for number in range(self._keep - 1, 0, -1):
            older = path.with_name(f"{path.name}.{number}")
            if older.exists():
                older.replace(path.with_name(f"{path.name}.{number + 1}"))
        path.replace(path.with_name(f"{path.name}.1"))


def _parts(lines: list[bytes], limit: int) -> list[bytes]:
    """Join lines to pieces of at most `limit` bytes; one longer line is a piece of its own."""
    pieces: list[list[bytes]] = [[]]
    size = 0
    for line in lines:
        if pieces[-1] and size + len(line) > limit:
            pieces.append([])
            size = 0
        pieces[-1].append(line)
        size += len(line)
    return [b"".join(piece) for piece in pieces if piece]


def _cut_unfinished(path: Path) -> None:
    """Drop what stands after the last newline: it was never confirmed."""
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - 65_536)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                file.truncate(start + found + 1)
                return
            end = start
        file.truncate(0)
