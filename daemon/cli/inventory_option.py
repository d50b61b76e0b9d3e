"""`--inventory FILE` as every command has it that loads rules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def inventory_option(command: F) -> F:
    """Add ``--inventory FILE``, repeatable, as `inventories`."""
    kind = click.Path(path_type=Path, dir_okay=False)
    told = "Which of your names are in which class; see davylamp inventory show."
    return click.option("--inventory", "inventories", multiple=True, type=kind, help=told)(command)
