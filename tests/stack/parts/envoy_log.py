"""Reading a proxy's access log as it grows: for a test, or into a topic as a log agent does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from parts.audit_webhook_kafka import ConfirmedTopic, NotConfirmedError

_PAUSE_S: Final = 0.05
_CHUNK_BYTES: Final = 1024 * 1024


class LogTail:
    """Whole lines of a file that is being written. Begins at its present end."""

    def __init__(self, path: Path) -> None:
        """Follow `path`, which may not be there yet."""
        self._path = path
        self._position = path.stat().st_size if path.exists() else 0

    def lines(self) -> list[bytes]:
        """Return the lines that were finished since the last call, without their newline."""
        found = self.peek()
        self.skip(found)
        return found

    def peek(self) -> list[bytes]:
        """Return the lines that the next call of `lines` would return."""
        return self._read().split(b"\n")[:-1]

    def skip(self, lines: Sequence[bytes]) -> None:
        """Go past these lines, the first of `peek`."""
        self._position += sum(len(line) + 1 for line in lines)

    def wait(
        self,
        count: int = 1,
        until: Callable[[bytes], bool] | None = None,
        timeout_s: float = 10.0,
    ) -> list[bytes]:
        """Return the lines once there are `count`, or up to one that `until` accepts. Raises TimeoutError."""
        found: list[bytes] = []
        give_up = time.monotonic() + timeout_s
        while not (any(map(until, found)) if until else len(found) >= count):
            if time.monotonic() > give_up:
                raise TimeoutError(f"{len(found)} lines in {self._path.name} after {timeout_s:g} s")
            time.sleep(_PAUSE_S)
            found += self.lines()
        return found

    def _read(self) -> bytes:
        if not self._path.exists():
            return b""
        with self._path.open("rb") as file:
            file.seek(self._position)
            data = file.read(_CHUNK_BYTES)
        return data[: data.rfind(b"\n") + 1]


class Follower:
    """Sends every line of a log to a topic, in order, each confirmed; goes on where it was when refused."""

    def __init__(self, path: Path, topic: ConfirmedTopic) -> None:
        """Follow `path` from its present end."""
        self._tail = LogTail(path)
        self._topic = topic
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.shipped = 0
        self.refused = 0

    def start(self) -> None:
        """Ship from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Ship what stands in the file, then end."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.is_set():
            self._ship()
            self._ending.wait(_PAUSE_S)
        self._ship()

    def _ship(self) -> None:
        while lines := self._tail.peek():
            try:
                self._topic.send(lines)
            except NotConfirmedError:
                self.refused += 1
                return
            self._tail.skip(lines)
            self.shipped += len(lines)
