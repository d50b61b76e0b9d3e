"""Routine rotations: when, of what, when not, and how old a credential may become. All times are UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from croniter import croniter
from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from config.data_class import DataClass
from config.section import Section

_NAME: Final = r"^[a-z0-9][a-z0-9-]{0,31}$"
_FIELDS: Final = 5
_WEEK_S: Final = 604_800.0


def last_match(cron: str, at: float) -> float:
    """Return the latest minute at or before `at` that a checked expression names (seconds, UTC)."""
    # croniter's `get_prev` is strictly before: a second more makes the minute of `at` itself count.
    return float(croniter(cron, at + 1.0).get_prev(float))


def next_match(cron: str, at: float) -> float:
    """Return the first minute after `at` that a checked expression names (seconds, UTC)."""
    return float(croniter(cron, at).get_next(float))


def checked_cron(text: str) -> str:
    """Return `text` when it is five fields of numbers, names, lists, ranges and steps that name some day.

    Raises ValueError: for random and hashed fields too, because each worker would read another time in them.
    """
    fields = text.split()
    if len(fields) != _FIELDS or len(text) > 128:
        raise ValueError("must have five fields: minute hour day month weekday, for example '0 3 * * 0'")
    if any(field[:1] in "HhRr" for field in fields):
        raise ValueError("random and hashed fields are not taken; `jitter_s` spreads the rotations")
    try:
        last_match(text, datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"is no time at all: {error}") from error
    return text


Cron = Annotated[str, AfterValidator(checked_cron)]


class Schedule(Section):
    """Rotate these targets at these minutes. `targets`: key, mount/name or name; `classes`: all of a class.

    A target that a schedule names is left out of those that go by class. Each target comes up to `jitter_s`
    later, always as much. A proposal that waits for people lapses after `lapse_s`; a rotation that is not
    proven `late_s` after its time is late.
    """

    name: str = Field(pattern=_NAME)
    cron: Cron
    targets: tuple[str, ...] = ()
    classes: tuple[DataClass, ...] = ()
    mode: Literal["orderly", "contain"] = "orderly"
    jitter_s: float = Field(default=3600.0, ge=0, le=_WEEK_S)
    lapse_s: float = Field(default=86_400.0, ge=60, le=_WEEK_S)
    late_s: float = Field(default=86_400.0, ge=60, le=31 * 86_400.0)

    @model_validator(mode="after")
    def _of_something(self) -> Schedule:
        if not self.targets and not self.classes:
            raise ValueError("names neither targets nor classes")
        return self


class FreezeWindow(Section):
    """A time in which no routine rotation begins: once (`begin`, `end`), or `hours` from each `cron` minute.

    `owners` and `targets` (key, mount/name or name) narrow it; with neither it holds for all.
    """

    name: str = Field(pattern=_NAME)
    begin: AwareDatetime | None = None
    end: AwareDatetime | None = None
    cron: Cron | None = None
    hours: float | None = Field(default=None, gt=0, le=744)
    owners: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_way(self) -> FreezeWindow:
        once = self.begin is not None and self.end is not None
        again = self.cron is not None and self.hours is not None
        parts = sum(part is not None for part in (self.begin, self.end, self.cron, self.hours))
        if once == again or parts != 2:
            raise ValueError("needs begin and end, or cron and hours")
        if self.begin is not None and self.end is not None and self.begin >= self.end:
            raise ValueError("ends before it begins")
        return self

    def until(self, at: float) -> float | None:
        """Return when the window that holds at `at` ends (seconds, UTC), or None when none does."""
        if self.begin is not None and self.end is not None:
            begin, end = self.begin.timestamp(), self.end.timestamp()
        elif self.cron is not None and self.hours is not None:
            begin = last_match(self.cron, at)
            end = begin + self.hours * 3600.0
        else:
            return None
        return end if begin <= at < end else None
