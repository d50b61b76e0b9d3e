"""What the lab's commands have in common: which play, and how they end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from daemon.cli.database import FailedError, print_json
from daemon.cli.lab_report import print_score
from daemon.cli.main import USAGE
from daemon.lab.script import Plan, Script, UnknownTechniqueError, written
from daemon.lab.verdict import Score

F = TypeVar("F", bound=Callable[..., Any])


def play_options(background: int) -> Callable[[F], F]:
    """Add what says which play: ``--seed``, ``--background``, ``--only`` (`chosen`), ``--mesh-text``."""

    def add(command: F) -> F:
        for option in (
            click.option("--mesh-text", is_flag=True, help="The mesh's lines in Istio's TEXT format."),
            click.option("--only", "chosen", multiple=True, metavar="ID", help="Only this one; repeatable."),
            click.option(
                "--background",
                type=click.IntRange(0, 100_000),
                default=background,
                show_default=True,
                help="Ordinary things of each source.",
            ),
            click.option("--seed", type=int, default=1, show_default=True, help="Another, another company."),
        ):
            command = option(command)
        return command

    return add


def script_of(plan: Plan) -> Script:
    """Return the play of a plan. A technique that there is not is a usage error."""
    try:
        return written(plan)
    except UnknownTechniqueError as error:
        raise FailedError(str(error), USAGE) from error


def end_with(ctx: click.Context, result: Score, *, as_json: bool) -> None:
    """Print a score and end: 1 when a technique was missed or a look-alike was taken for an attack."""
    if as_json:
        print_json(result.to_json())
    else:
        print_score(result)
    ctx.exit(1 if result.missed or result.hit else 0)
