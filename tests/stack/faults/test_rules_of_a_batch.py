"""Every rule of the batch discipline is needed: with it every crash is harmless, without it one is not.

The rules are those of the contract, section 4, State and Faust.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from faults.crash_model import World, after_every_crash, live
from faults.match_log import MatchLog, evaluator, finals, numbered

from daemon.roles.correlate.acknowledging import Acknowledge, Discipline
from daemon.roles.correlate.evaluation import Evaluation, Record, States
from daemon.roles.correlate.matches import MatchEvaluator

LOG = MatchLog(seed=3, users=2, each=7, span_s=120.0)


def arrived() -> list[Record]:
    """Return one partition's worth of the log, with few heartbeats."""
    beats = 0
    kept: list[Record] = []
    for record in numbered(LOG.records(seed=5)):
        beats += not record.key
        if record.key or beats % 60 == 0 or beats > 540:
            kept.append(record._replace(partition=0))
    return [record._replace(offset=number) for number, record in enumerate(kept)]


class StatesFirst(Discipline):
    """Writes states before the findings are confirmed."""

    async def take(self, batch: Sequence[tuple[Record, Any]], acknowledge: Acknowledge[Any]) -> Evaluation:
        done = self.evaluator.evaluate([record for record, _ in batch], self.table)
        await asyncio.gather(*[self.table.write(*write) for write in done.writes])
        await self.publisher.publish(done.findings)
        for _, event in batch:
            await acknowledge(event)
        return done


class AcknowledgedFirst(Discipline):
    """Acknowledges before the batch is evaluated, as stock Faust's `take` may."""

    async def take(self, batch: Sequence[tuple[Record, Any]], acknowledge: Acknowledge[Any]) -> Evaluation:
        for _, event in batch:
            await acknowledge(event)

        async def done_before(_event: object) -> None:
            return None

        return await super().take(batch, done_before)


class Unawaited(Discipline):
    """Sends states and acknowledges at once; the sends are confirmed afterwards, as stock Faust does it."""

    async def take(self, batch: Sequence[tuple[Record, Any]], acknowledge: Acknowledge[Any]) -> Evaluation:
        done = self.evaluator.evaluate([record for record, _ in batch], self.table)
        await self.publisher.publish(done.findings)
        sent = [self.table.write(*write) for write in done.writes]
        try:
            for _, event in batch:
                await acknowledge(event)
        except BaseException:
            for write in sent:
                write.close()  # type: ignore[attr-defined]
            raise
        await self._confirmed(sent)
        return done


class Unidentified(MatchEvaluator):
    """Gives every record read a match id of its own: the event's id identifies nothing."""

    def __init__(self) -> None:
        made = evaluator()
        super().__init__(made.correlations, made._new_watermarks, made.metrics)

    def evaluate(self, records: Sequence[Record], states: States) -> Evaluation:
        return super().evaluate([self._renamed(record) for record in records], states)

    def _renamed(self, record: Record) -> Record:
        old = b'"event_id":"'
        return record._replace(value=(record.value or b"").replace(old, old + f"{id(self)}-".encode()))


def wanted() -> set[bytes]:
    """Return the finals of one undisturbed life."""
    calm = World(arrived())
    assert live(calm, Discipline, evaluator)
    found = finals(calm.findings)
    assert len(found) > 3
    return found


@pytest.mark.claim(
    "model: with the contract's discipline a crash before any single step of any batch changes no final"
)
def test_with_the_rules_every_crash_is_harmless() -> None:
    worlds = after_every_crash(arrived(), Discipline)
    assert len(worlds) > 60
    assert {frozenset(finals(world.findings)) for world in worlds} == {frozenset(wanted())}


@pytest.mark.claim(
    "model: findings before states, states awaited, acknowledged last: without one a crash loses finals"
)
@pytest.mark.parametrize(
    "broken", [StatesFirst, AcknowledgedFirst, Unawaited], ids=lambda kind: kind.__name__
)
def test_without_the_order_a_crash_loses_finals(broken: type[Discipline]) -> None:
    right = wanted()
    losses = [right - finals(world.findings) for world in after_every_crash(arrived(), broken)]
    assert any(losses)


@pytest.mark.claim("model: states keyed by the match's id: without ids a crash counts matches twice")
def test_without_match_ids_a_crash_counts_twice() -> None:
    counts = {
        frozenset(
            (f["rule_id"], f["first_time"], f["count"]) for f in world.findings if f["status"] == "final"
        )
        for world in after_every_crash(arrived(), Discipline, Unidentified, every=2)
    }
    assert len(counts) > 1


@pytest.mark.claim("model: a refused finding ends the process: going on instead loses finals")
@pytest.mark.parametrize(("on_refusal", "loses"), [("end", False), ("go on", True)])
def test_a_refused_finding_must_end_the_process(on_refusal: str, loses: bool) -> None:
    right = wanted()
    calm = World(arrived())
    live(calm, Discipline, evaluator)
    missing: set[bytes] = set()
    for step in range(1, calm.steps + 1, 2):
        world = World(arrived())
        world.refuse_at = step
        while not live(world, Discipline, evaluator, on_refusal):
            pass
        missing |= right - finals(world.findings)
    assert bool(missing) is loses
