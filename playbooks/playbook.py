"""One playbook: a Markdown page with front matter, read into a typed model with located problems."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal, NamedTuple, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

SECTIONS: Final = (
    "Is it real?",
    "Do now",
    "If automation failed",
    "Verify",
    "Undo",
    "Who to wake",
    "Afterwards",
)
FALLBACK: Final = "If the vault is down"
WITH_FALLBACK: Final = (*SECTIONS[:3], FALLBACK, *SECTIONS[3:])
Verb: TypeAlias = Literal["rotate.credential", "contain.workload", "manual"]
_DURATION: Final = re.compile(r"(\d{1,5})(s|m|h)\Z")
_UNIT: Final[Mapping[str, int]] = {"s": 1, "m": 60, "h": 3600}


class Problem(NamedTuple):
    """One thing wrong with a playbook: where, what was found, what is allowed."""

    file: str
    line: int
    key: str
    found: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.key}: found {self.found}; allowed: {self.allowed}"


class PlaybookError(ValueError):
    """One or more playbooks are wrong; `problems` has them all."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def seconds(value: object) -> object:
    """Return "120s", "15m", "1h" as seconds; anything else as it is, for the model to refuse."""
    if isinstance(value, str) and (match := _DURATION.match(value)):
        return int(match.group(1)) * _UNIT[match.group(2)]
    return value


Seconds: TypeAlias = Annotated[int, BeforeValidator(seconds), Field(gt=0, le=86_400)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class Auto(_Part):
    """Whether the machine may act without a click, and how many independent signals it needs."""

    mode: Literal["auto", "propose"] = "propose"
    signals: int = Field(default=2, ge=2, le=5)


class PlaybookStep(_Part):
    """One step. A `rotate.credential` step says its mode, deadline and undo, a `contain.workload` one its
    deadline and undo; a `manual` one its text.

    `except_rules`: rules whose findings name a credential that nobody got; they call for no rotation.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")
    verb: Verb
    mode: Literal["contain", "orderly"] | None = None
    deadline: Seconds | None = None
    undo: str | None = Field(default=None, min_length=1)
    text: str | None = Field(default=None, min_length=1)
    owner: str | None = None
    except_rules: tuple[str, ...] = ()


class Playbook(_Part):
    """A playbook's front matter, its text by section, and the file that it came from.

    `kinds` are the kinds of targets whose page it is: drills and schedules follow it, and it must have the
    section `FALLBACK`.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9-]{1,63}$")
    version: str = Field(pattern=r"^\d{1,4}\.\d{1,4}\.\d{1,4}$")
    title: str = Field(min_length=3, max_length=120)
    owner: str = Field(min_length=1, max_length=64)
    rules: tuple[str, ...] = ()
    kinds: tuple[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{2,63}$")], ...] = ()
    attack: tuple[Annotated[str, Field(pattern=r"^T\d{4}(\.\d{3})?$")], ...] = Field(min_length=1)
    false_positives: tuple[Annotated[str, Field(min_length=3)], ...] = Field(min_length=1)
    auto: Auto = Auto()
    steps: tuple[PlaybookStep, ...] = Field(min_length=1)
    sections: Mapping[str, str] = Field(default_factory=dict[str, str], exclude=True)
    file: str = Field(default="", exclude=True)

    @property
    def headings(self) -> tuple[str, ...]:
        """The sections that its page has, in order."""
        return WITH_FALLBACK if self.kinds or FALLBACK in self.sections else SECTIONS

    @property
    def rotation(self) -> PlaybookStep | None:
        """The step that rotates a credential, if there is one."""
        return next((step for step in self.steps if step.verb == "rotate.credential"), None)

    @property
    def containment(self) -> PlaybookStep | None:
        """The step that proposes to cut a workload off, if there is one."""
        return next((step for step in self.steps if step.verb == "contain.workload"), None)
