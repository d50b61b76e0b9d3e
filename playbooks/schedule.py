"""When a routine rotation is due, for which targets, and whether it is late. Times: seconds (UTC)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from config.schedules import FreezeWindow, Schedule, last_match, next_match
from detectors.identifier import derive
from playbooks.target import DataClass, TargetRef

REQUESTER: Final = "schedule:"
_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Due:
    """One rotation that a schedule asks for: of `target`, for the minute `slot`, since `at` (with jitter)."""

    schedule: Schedule
    target: TargetRef
    slot: float
    at: float

    @property
    def action_id(self) -> str:
        """The id of its action: the same in each worker, after each restart, with another jitter."""
        return derive("action", self.requester, self.target.key, f"{self.slot:.0f}")

    @property
    def subject(self) -> str:
        """What a schedule and a target are called in the audit; another `cron` makes another."""
        return f"{self.schedule.name} ({self.schedule.cron}) {self.target.key}"

    @property
    def requester(self) -> str:
        """Who asks, as it stands in the action."""
        return REQUESTER + self.schedule.name


@dataclass(frozen=True, slots=True)
class Timetable:
    """What the operator says about routine rotations. `routine` says which kinds leave a successor."""

    schedules: tuple[Schedule, ...] = ()
    windows: tuple[FreezeWindow, ...] = ()
    max_age_days: Mapping[DataClass, float] = field(default_factory=dict[DataClass, float])
    routine: Callable[[str], bool] = lambda _kind: True

    def scheduled(self, targets: Iterable[TargetRef]) -> tuple[tuple[Schedule, TargetRef], ...]:
        """Return each target that may be rotated by routine with its schedules, in the settings' order."""
        routine = [target for target in targets if self.routine(target.kind)]
        named = {t.key for t in routine if any(names(s.targets, t) for s in self.schedules)}
        return tuple(
            (schedule, target)
            for schedule in self.schedules
            for target in routine
            if names(schedule.targets, target)
            or (target.classification in schedule.classes and target.key not in named)
        )

    def frozen_until(self, target: TargetRef, at: float) -> float | None:
        """Return when the last of the windows ends that hold for `target` at `at`; None when none does."""
        ends = [
            until
            for window in self.windows
            if concerns(window, target) and (until := window.until(at)) is not None
        ]
        return max(ends, default=None)

    def max_age_s(self, target: TargetRef) -> float | None:
        """Return how old the target's last proof may be, in seconds; None: as old as it likes."""
        days = self.max_age_days.get(target.classification) if self.routine(target.kind) else None
        return None if days is None else days * _DAY_S


def names(listed: Sequence[str], target: TargetRef) -> bool:
    """Return whether `listed` has the target's key, mount/name or name."""
    return not {target.key, f"{target.mount}/{target.name}", target.name}.isdisjoint(listed)


def concerns(window: FreezeWindow, target: TargetRef) -> bool:
    """Return whether `window` holds for `target`: it names it or its owner, or nobody."""
    everybody = not window.owners and not window.targets
    return everybody or target.owner in window.owners or names(window.targets, target)


def jitter_of(schedule: Schedule, target: TargetRef) -> float:
    """Return by how many whole seconds this target comes later: always as many, up to `jitter_s`."""
    text = derive("jitter", schedule.name, target.key)
    return float(int.from_bytes(sha256(text.encode()).digest()[:8], "big") % (int(schedule.jitter_s) + 1))


def due(schedule: Schedule, target: TargetRef, now: float) -> Due:
    """Return the latest time at or before `now` at which `schedule` asks for `target`.

    Times before it that nobody kept are not asked for again: a missed rotation runs once.
    """
    later_s = jitter_of(schedule, target)
    slot = last_match(schedule.cron, now - later_s)
    return Due(schedule, target, slot, slot + later_s)


def next_due(schedule: Schedule, target: TargetRef, now: float) -> float:
    """Return the first time after `now` at which `schedule` asks for `target`."""
    later_s = jitter_of(schedule, target)
    return next_match(schedule.cron, now - later_s) + later_s


@dataclass(frozen=True, slots=True)
class Routine:
    """What makes an action a routine one: its schedule, since when it is due, and its mode."""

    schedule: str
    at: float
    mode: str

    @classmethod
    def of(cls, requester: str, at: float, mode: str) -> Routine | None:
        """Return what the columns of an action say, or None when no schedule asked for it."""
        return cls(requester.removeprefix(REQUESTER), at, mode) if scheduled(requester) else None


def scheduled(requester: str) -> bool:
    """Return whether an action's requester is a schedule."""
    return requester.startswith(REQUESTER)
