"""The view in the terminal: a live board with rich, or plain lines where there is no terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from daemon.demo.board import Board, StageLine, Step

_PER_SECOND: Final = 8
_SHOWN_FACTS: Final = 12
_MARKS: Final = {"waiting": ("·", "dim"), "played": ("●", "yellow"), "found": ("✔", "green")}


@contextmanager
def shown(board: Board, stream: TextIO) -> Iterator[None]:
    """Draw `board` on `stream` while the block runs."""
    console = Console(file=stream, highlight=False)
    if not console.is_terminal:
        board.told = lambda line: print(line, file=stream, flush=True)
        yield
        return
    spinner = Spinner("dots")
    with Live(
        console=console,
        refresh_per_second=_PER_SECOND,
        get_renderable=lambda: draw(board, spinner),
        redirect_stdout=False,
        redirect_stderr=False,
    ):
        yield


def draw(board: Board, spinner: Spinner) -> RenderableType:
    """Return the whole board."""
    parts: list[RenderableType] = [
        Text("Davylamp  ·  the TerraMiner breach", style="bold"),
        _steps(board, spinner),
    ]
    done, total = board.progress
    if total and done < total:
        parts.append(_progress(done, total))
    if any(stage.state != "waiting" for stage in board.stages):
        parts.append(Panel(_stages(board.stages), title="the breach", title_align="left", border_style="dim"))
    if board.facts:
        lines = Text("\n").join(Text(fact) for fact in board.facts[-_SHOWN_FACTS:])
        parts.append(Panel(lines, title="Davylamp", title_align="left", border_style="dim"))
    if board.address:
        parts.append(Text(f"pages: {board.address}", style="bold cyan"))
    return Group(*parts)


def _steps(board: Board, spinner: Spinner) -> Table:
    table = Table.grid(padding=(0, 1))
    for step in board.steps:
        table.add_row(_step_mark(step, spinner), Text(step.title), Text(step.note, style="dim"))
    return table


def _step_mark(step: Step, spinner: Spinner) -> RenderableType:
    if step.state == "doing":
        return spinner
    return Text("✔", style="green") if step.state == "done" else Text("✘", style="red")


def _progress(done: int, total: int) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_row(ProgressBar(total=total, completed=done, width=40), Text(f"{done:,} of {total:,} records"))
    return table


def _stages(stages: list[StageLine]) -> Table:
    table = Table.grid(padding=(0, 1))
    for stage in stages:
        mark, style = _MARKS[stage.state]
        table.add_row(
            Text(mark, style=style),
            Text(f"{stage.number:2d}", style="dim"),
            Text(stage.title, style="" if stage.state != "waiting" else "dim"),
            Text(stage.shows, style="dim"),
            Text(stage.found, style=style),
        )
    return table
