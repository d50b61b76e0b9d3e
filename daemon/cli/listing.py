"""Tables and lines for the terminal; what attackers wrote is made visible and never read as markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from daemon.web.visible_text import clip, visible

MAX_CELL: Final = 90
_PIPED_WIDTH: Final = 220
_UNCUT: Final = frozenset({"#", "id", "level", "state", "status", "approvals", "grade"})


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; cells have at most 90 characters, and ids are never cut: people copy them."""
    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, no_wrap=name in _UNCUT, overflow="fold" if name in _UNCUT else "ellipsis")
    for row in rows:
        table.add_row(*(Text(visible(clip(str(cell), MAX_CELL)).replace("\n", " ")) for cell in row))
    console = Console()
    if not console.is_terminal:
        console.width = _PIPED_WIDTH
    console.print(table)


def print_line(text: str) -> None:
    """Print one line of text made visible."""
    click.echo(visible(clip(text, 1000)).replace("\n", " "))
