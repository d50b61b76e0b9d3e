"""Where one technique plays: its own clock, its own chance, the company, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

from daemon.demo.traffic.record import Body
from daemon.lab.names import Names
from daemon.lab.world import Person, Pod, Workload, World
from detectors.level import Level

CLOUDTRAIL: Final = "cloudtrail"
KUBERNETES: Final = "kubernetes_audit"
ISTIO: Final = "istio_access"
VAULT: Final = "vault_audit"
KINDS: Final = (CLOUDTRAIL, KUBERNETES, ISTIO, VAULT)


class Played(NamedTuple):
    """One record: event time (seconds, UTC), kind of source, body, the id that its source gave it.

    `label` is the technique or look-alike that it belongs to, "" for background; `supporting`: it prepares
    or follows and is not the thing itself.
    """

    time: float
    kind: str
    body: Body
    source_id: str | None
    label: str
    supporting: bool


class Stage:
    """What a technique's function is given. `rng` decides everything that varies; `at` is its clock."""

    def __init__(
        self, world: World, rng: Random, begin: float, label: str, patience: float | None = None
    ) -> None:
        self.world = world
        self.rng = rng
        self.names = Names(rng)
        self.at = begin
        self.foreign = self.names.outside()
        """An address on the internet, the same all through the technique."""
        self.played: list[Played] = []
        self._label = label
        self._supporting = False
        self._patience = patience

    def add(self, kind: str, body: Body, source_id: str | None) -> None:
        """Write one record at the clock's time, then move the clock on by up to two seconds."""
        self.played.append(Played(self.at, kind, body, source_id, self._label, self._supporting))
        self.at += self.rng.uniform(0.3, 2.0)

    def wait(self, least: float, most: float) -> None:
        """Move the clock on by a number of seconds between `least` and `most`."""
        pause = self.rng.uniform(least, most)
        self.at += pause if self._patience is None else min(pause, self._patience)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Mark what is written inside as preparation: it counts neither for nor against a rule."""
        self._supporting = True
        try:
            yield
        finally:
            self._supporting = False

    def person(self) -> Person:
        """Return one of the people."""
        return self.rng.choice(self.world.people)

    def workload(self) -> Workload:
        """Return one of the ordinary workloads."""
        return self.rng.choice(self.world.workloads)

    def two_workloads(self) -> tuple[Workload, Workload]:
        """Return two different ordinary workloads."""
        first, second = self.rng.sample(self.world.workloads, 2)
        return first, second

    def pod(self, workload: Workload) -> Pod:
        """Return one of the pods of a workload."""
        return self.rng.choice(workload.pods)


@dataclass(frozen=True, slots=True)
class Technique:
    """One way to attack, or one thing that only looks like it.

    `attack`: ATT&CK ids, empty for a look-alike. `title` says what is done, `why` (look-alikes) why it is
    ordinary. `level`: what an analyst would expect at least. `needs`: classes of the inventory without which
    nobody can know that it is an attack, or how grave.
    """

    id: str
    title: str
    play: Callable[[Stage], None]
    attack: tuple[str, ...] = ()
    level: Level = "high"
    why: str = ""
    needs: tuple[str, ...] = ()
