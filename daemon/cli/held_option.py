"""`--exceptions FILE`, `--lifecycle FILE` and `--held`: what is held back, counted and named on stderr."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from config.detection import Detection
from daemon.holding import Holding
from detectors.finding import Finding
from detectors.lifecycle.held import EXCEPTION, HELD, is_held

F = TypeVar("F", bound=Callable[..., Any])


def held_options(command: F) -> F:
    """Add the three options as `exceptions`, `lifecycles` and `with_held`."""
    kind = click.Path(path_type=Path, dir_okay=False)
    for option in (
        click.option("--held", "with_held", is_flag=True, help="Print what is held back too, labelled."),
        click.option(
            "--lifecycle",
            "lifecycles",
            multiple=True,
            type=kind,
            help="Which rules are draft, shadow, retired.",
        ),
        click.option("--exceptions", multiple=True, type=kind, help="Which findings are known and no alert."),
    ):
        command = option(command)
    return command


class Held:
    """Judges findings by the files of the settings and of the command line; counts what it holds back."""

    def __init__(self, said: Detection, exceptions: tuple[Path, ...], lifecycles: tuple[Path, ...]) -> None:
        """Read the files. Raises ConfigurationError."""
        files = {
            "exceptions": (*said.exceptions, *exceptions),
            "lifecycle": (*said.lifecycle, *lifecycles),
        }
        self.holding = Holding.read(said.model_copy(update=files))
        self._counts: Counter[str] = Counter()

    def judge(self, finding: Finding) -> Finding:
        """Return the finding as it is, or held back and counted."""
        judged = self.holding.gate.judge(finding)
        if judged is not finding and is_held(judged):
            self._counts[judged.labels.get(EXCEPTION) or f"({judged.labels[HELD]})"] += 1
        return judged

    def tell(self) -> None:
        """Say on stderr how many findings were held back, and by what."""
        if self._counts:
            told = ", ".join(f"{name} {count}" for name, count in self._counts.most_common())
            click.echo(f"{self._counts.total()} findings held back: {told}", err=True)
