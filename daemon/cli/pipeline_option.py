"""`--pipeline FILE` as every command has it that loads rules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def pipeline_option(command: F) -> F:
    """Add ``--pipeline FILE``, repeatable, as `pipelines`."""
    kind = click.Path(path_type=Path, dir_okay=False)
    told = "Rewrite the rules by this pySigma pipeline first; several go by their priority."
    return click.option("--pipeline", "pipelines", multiple=True, type=kind, help=told)(command)
