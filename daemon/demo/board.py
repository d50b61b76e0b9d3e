"""What the demo shows: steps of the set-up, the ten stages, what was found and done. Views draw it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

StepState: TypeAlias = Literal["doing", "done", "failed"]
StageState: TypeAlias = Literal["waiting", "played", "found"]


@dataclass(slots=True)
class Step:
    """One step of the set-up."""

    title: str
    state: StepState = "doing"
    note: str = ""


@dataclass(slots=True)
class StageLine:
    """One stage of the breach, and what Davylamp said about it."""

    number: int
    title: str
    shows: str
    state: StageState = "waiting"
    found: str = ""


def _silent(_line: str) -> None:
    return None


@dataclass(slots=True)
class Board:
    """The state of the play. `told` gets each change as one plain line, for views without a terminal."""

    steps: list[Step] = field(default_factory=list)
    stages: list[StageLine] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    address: str = ""
    progress: tuple[int, int] = (0, 0)
    told: Callable[[str], None] = _silent

    def begin(self, title: str) -> None:
        """A step begins."""
        self.steps.append(Step(title))
        self.told(f"{title} ...")

    def end(self, note: str = "") -> None:
        """The last step is done."""
        if self.steps:
            step = self.steps[-1]
            step.state, step.note = "done", note
            self.told(f"{step.title}: {note or 'done'}")

    def fail(self, note: str) -> None:
        """The last step failed."""
        if self.steps and self.steps[-1].state == "doing":
            self.steps[-1].state, self.steps[-1].note = "failed", note

    def played(self, number: int) -> None:
        """A stage was played."""
        line = self.stages[number - 1]
        line.state = "played"
        self.told(f"stage {number:2d}  {line.title}")

    def found(self, number: int, text: str) -> None:
        """A stage was found."""
        line = self.stages[number - 1]
        line.state, line.found = "found", text
        self.told(f"found {number:2d}  {text}")

    def fact(self, text: str) -> None:
        """Something worth saying happened."""
        self.facts.append(text)
        self.told(text)
