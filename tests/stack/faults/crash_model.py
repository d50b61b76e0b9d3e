"""A worker of correlate over a world that survives its crashes: log, commits, states, findings.

The world keeps exactly what Kafka would: a finding or a state once its write is confirmed, and the commit
that acknowledged records allow. A crash may come before every single step.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from faults.match_log import Memory, evaluator

from daemon.roles.correlate.acknowledging import Discipline
from daemon.roles.correlate.evaluation import Evaluator, Record
from daemon.roles.correlate.publishing import Publisher
from detectors.finding import Finding

BATCH: Final = 7
_CONFIRM_S: Final = 5.0


class CrashError(Exception):
    """The process ends here (SIGKILL, or `os._exit(70)`)."""


class RefusedError(Exception):
    """The broker refused a finding; the process lives."""


class World:
    """What outlives the worker. `crash_at` is the step before which the process ends, None for none."""

    def __init__(self, log: Sequence[Record]) -> None:
        self.log = log
        self.committed = 0
        self.memory = Memory(evaluator())
        self.findings: list[dict[str, Any]] = []
        self.steps = 0
        self.crash_at: int | None = None
        self.refuse_at: int | None = None

    def step(self) -> None:
        """Do one thing that a crash may come before."""
        self.steps += 1
        if self.steps == self.crash_at:
            raise CrashError
        if self.steps == self.refuse_at:
            raise RefusedError


class WorldTable(Memory):
    """A table in memory whose writes last once they were awaited, as a changelog does."""

    def __init__(self, world: World, judge: Evaluator) -> None:
        super().__init__(judge)
        self._world = world
        self.values = dict(world.memory.values)

    async def _confirm(self, key: str, value: bytes | None, partition: int) -> None:
        self._world.step()
        self._world.memory.keep(key, value, partition)

    def write(self, key: str, value: bytes | None, partition: int) -> Any:
        """Set or delete a state."""
        self.keep(key, value, partition)
        return self._confirm(key, value, partition)


class WorldPublisher:
    """Findings last once they were published."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def publish(self, findings: Sequence[Finding]) -> None:
        """Keep them, one after the other."""
        for finding in findings:
            self._world.step()
            self._world.findings.append(finding.to_json())


Judge = Callable[[], Evaluator]
Rule = Callable[[Evaluator, WorldTable, Publisher, float], Discipline]


def live(world: World, rule: Rule, judge: Judge, on_refusal: str = "end") -> bool:
    """Run one life of the worker over the log; return whether it came to the end.

    `on_refusal`: "end" the process, as the contract says, or "go on" with the next batch.
    """
    made = judge()
    table = WorldTable(world, made)
    discipline = rule(made, table, WorldPublisher(world), _CONFIRM_S)
    return asyncio.run(_read(world, discipline, on_refusal))


async def _read(world: World, discipline: Discipline, on_refusal: str) -> bool:
    position = world.committed
    while position < len(world.log):
        batch = [(record, number) for number, record in enumerate(world.log)][position : position + BATCH]

        async def acknowledge(number: int) -> None:
            world.step()
            world.committed = max(world.committed, number + 1)

        try:
            await discipline.take(batch, acknowledge)
        except CrashError:
            return False
        except RefusedError:
            if on_refusal == "end":
                return False
        position += BATCH
    return True


def after_every_crash(
    log: Sequence[Record], rule: Rule, judge: Judge = evaluator, every: int = 1
) -> list[World]:
    """Return a world for each step at which a crash was made; each was lived to its end afterwards."""
    calm = World(log)
    assert live(calm, rule, judge)
    worlds: list[World] = []
    for step in range(1, calm.steps + 1, every):
        world = World(log)
        world.crash_at = step
        live(world, rule, judge)
        while not live(world, rule, judge):
            pass
        worlds.append(world)
    return worlds
