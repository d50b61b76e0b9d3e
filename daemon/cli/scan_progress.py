"""The bar of `scan`: bytes read of all bytes, events a second, the time that remains; terminals only."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PosixPath
from typing import IO, Any

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TaskProgressColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from daemon.cli.scan_files import size_of
from daemon.scan_tally import Tally


class FollowedPath(PosixPath):
    """A path that knows how far the file that was opened through it has been read, in bytes of the file."""

    _opened: IO[Any] | None = None

    def open(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, *args: Any, **kwargs: Any
    ) -> IO[Any]:
        """Open the file as Path.open does."""
        opened: IO[Any] = super().open(*args, **kwargs)
        self._opened = opened
        return opened

    @property
    def position(self) -> int:
        """Bytes read so far; the whole size once the file is closed."""
        opened = self._opened
        if opened is None:
            return 0
        try:
            return opened.tell()
        except (OSError, ValueError):
            return size_of(self)


class ScanProgress(Progress):
    """A bar on stderr while its context lasts; it moves inside a file that `followed` has given out."""

    def __init__(self, paths: Sequence[Path], tally: Tally, *, wanted: bool) -> None:
        console = Console(stderr=True)
        shown = wanted and console.is_terminal
        self._read = 0
        self._current: FollowedPath | None = None
        self._bytes: TaskID | None = None
        super().__init__(
            BarColumn(),
            TaskProgressColumn(),
            _Events(tally),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not shown,
            redirect_stdout=sys.stdout.isatty(),
        )
        self._bytes = self.add_task("scan", total=sum(size_of(path) for path in paths))

    def get_renderables(self) -> Iterable[RenderableType]:
        """Move the bar to what has been read by now, and return it."""
        if self._bytes is not None:
            inside = 0 if self._current is None else self._current.position
            self.update(self._bytes, completed=self._read + inside)
        return super().get_renderables()

    def file_done(self, path: Path) -> None:
        """Count a file as read."""
        self._current = None
        self._read += size_of(path)

    def followed(self, paths: Sequence[Path]) -> Iterator[Path]:
        """Yield the files to one reader, each counted as read when the next one is asked for."""
        for path in paths:
            self._current = FollowedPath(path)
            yield self._current
            self.file_done(path)


class _Events(ProgressColumn):
    """The events read so far, and how many a second."""

    def __init__(self, tally: Tally) -> None:
        super().__init__()
        self._tally = tally

    def render(self, task: Task) -> Text:
        """Return both."""
        rate = self._tally.events / task.elapsed if task.elapsed else 0.0
        return Text(f"{self._tally.events:,} events, {rate:,.0f}/s")
