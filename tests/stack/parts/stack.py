"""The whole stack: every part once, started when asked for or all at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import psutil
from parts.part import Part

_LOG_BYTES: Final = 8000
_LOG_LINES: Final = 30


class Stack:
    """Holds the parts of one test run. `classes` is name -> what makes the part from its folder.

    A part ends with the thread that started it, so each has a thread of the pool, which lives until `stop`.
    """

    def __init__(self, folder: Path, classes: dict[str, Callable[[], Callable[[Path], Part]]]) -> None:
        self._folder = folder
        self._classes = classes
        self._pool = ThreadPoolExecutor(max_workers=len(classes))
        self._parts: dict[str, Future[Part]] = {}

    def part(self, name: str) -> Any:
        """Return the part, started. Raises PartMissingError, PartFailedError; the same again next time."""
        return self._begin(name).result()

    def start(self, names: Iterable[str]) -> list[Part]:
        """Start these at the same time and return them, started. Raises as `part`."""
        begun = [self._begin(name) for name in names]
        return [future.result() for future in begun]

    def stop(self) -> None:
        """Stop what was started; every part is asked, whatever the others do."""
        started = [future.result() for future in self._parts.values() if future.exception() is None]
        for _ in self._pool.map(lambda part: part.stop(), started):
            pass
        self._pool.shutdown()

    def logs(self, name: str) -> str:
        """Return the end of every log of a part."""
        tails = {file.name: _tail(file) for file in sorted((self._folder / name).rglob("*.log"))}
        return "\n".join(f"-- {file}\n{tail}" for file, tail in tails.items() if tail)

    def _begin(self, name: str) -> Future[Part]:
        if name not in self._parts:
            self._parts[name] = self._pool.submit(self._started, name)
        return self._parts[name]

    def _started(self, name: str) -> Part:
        folder = self._folder / name
        folder.mkdir(parents=True)
        part = self._classes[name]()(folder)
        part.fetch()
        part.start()
        return part


def resident_bytes(parts: Iterable[Part]) -> dict[str, int]:
    """Return what each part holds in memory now: part -> resident bytes of its processes."""
    return {
        f"{part.name} {part.version}": sum(psutil.Process(pid).memory_info().rss for pid in part.pids())
        for part in parts
    }


def _tail(file: Path) -> str:
    with file.open("rb") as log:
        log.seek(max(0, file.stat().st_size - _LOG_BYTES))
        text = log.read().decode("utf-8", "replace")
    return "\n".join(text.splitlines()[-_LOG_LINES:])
