"""The operator's schedules as a timetable, refused when they name what is not there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from config.errors import ConfigurationError, Problem
from config.settings import Settings
from connectors.rotation.catalogue import routine_kinds
from daemon.roles.respond.policy import target_refs
from playbooks.schedule import Timetable, names
from playbooks.target import TargetRef


def timetable_of(settings: Settings) -> Timetable:
    """Return the timetable. Raises ConfigurationError with all that is wrong in it."""
    response, targets, routine = settings.response, target_refs(settings), routine_kinds()
    problems = [*_twice("schedules", [s.name for s in response.schedules])]
    problems += _twice("freeze_windows", [w.name for w in response.freeze_windows])
    for section, parts in (("schedules", response.schedules), ("freeze_windows", response.freeze_windows)):
        for index, part in enumerate(parts):
            problems += _unknown(f"response.{section}.{index}", part.name, part.targets, targets)
    for target in targets:
        mine = [schedule.name for schedule in response.schedules if names(schedule.targets, target)]
        place, key = f"target {target.name}", "response.schedules"
        if len(mine) > 1:
            problems.append(Problem(place, key, f"{target.key} is named by {' and '.join(mine)}"))
        if mine and target.kind not in routine:
            text = f"{target.key} leaves no successor: kinds for schedules are {', '.join(sorted(routine))}"
            problems.append(Problem(place, key, text))
    if problems:
        raise ConfigurationError(problems)
    return Timetable(
        response.schedules, response.freeze_windows, response.max_age_days, lambda kind: kind in routine
    )


def _twice(section: str, found: Sequence[str]) -> Iterable[Problem]:
    for index, name in enumerate(found):
        if name in found[:index]:
            yield Problem("settings", f"response.{section}.{index}", f"{name!r} is there already")


def _unknown(key: str, name: str, listed: Iterable[str], targets: Iterable[TargetRef]) -> Iterable[Problem]:
    known = tuple(targets)
    for text in listed:
        fitting = [target.key for target in known if names((text,), target)]
        if len(fitting) != 1:
            said = f"fits several: {', '.join(fitting)}" if fitting else "is no configured target"
            yield Problem(name, f"{key}.targets", f"{text!r} {said}")
