"""How far `replay` has read a topic: a bar on a terminal, else a line on stderr every 5 s."""

from __future__ import annotations

import sys
import time
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

_EVERY: Final = 500
_LINE_S: Final = 5.0


class RecordProgress(Progress):
    """Shows the records read of `total`, which may be a few more than there are."""

    def __init__(self, what: str, total: int, *, wanted: bool) -> None:
        """`wanted`: the bar, where stderr is a terminal."""
        console = Console(stderr=True)
        shown = wanted and console.is_terminal
        self._what = what
        self._lines = not console.is_terminal
        self._all = total
        self._read = 0
        self._said = time.monotonic()
        super().__init__(
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.completed:,} records"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not shown,
            redirect_stdout=sys.stdout.isatty(),
        )
        self._bar = self.add_task(what, total=total)

    def record_read(self) -> None:
        """Count a record."""
        self._read += 1
        if self._read % _EVERY:
            return
        self.update(self._bar, completed=self._read)
        if self._lines and time.monotonic() - self._said >= _LINE_S:
            self._said = time.monotonic()
            click.echo(f"{self._what}: {self._read:,} of {self._all:,} records", err=True)
