"""Every rule about what a state holds is needed: with it finals are exact, without it some are wrong.

The rules are those of the contract, section 4, Correlations and State.
"""

from __future__ import annotations

from collections.abc import Iterable
from zlib import crc32

import orjson
import pytest
from faults.match_log import PARTITIONS, MatchLog, Memory, evaluator, finals, numbered

from daemon.roles.correlate.evaluation import Record
from detectors.event import Entity
from detectors.sigma.correlation import Correlator
from detectors.sigma.match import Match
from detectors.sigma.rule import CorrelationRule, Identity
from detectors.sigma.window import MAX_BYTES, Window

LOG = MatchLog(seed=5, users=4, each=20, span_s=240.0)
BATCH = 40
IDENTITY = Identity("c", None, "Few", "", "high", (), (), (), (), 1, None, "c.yml", 1)
FEW = CorrelationRule(IDENTITY, "event_count", ("a",), (), {"a": ()}, 60.0, "lt", 3, False)


class Floorless(Memory):
    """States that do not say what is settled."""

    def read(self, key: str, partition: int) -> bytes | None:
        value = super().read(key, partition)
        if value is None:
            return None
        return orjson.dumps({k: v for k, v in orjson.loads(value).items() if k != "floor"})


def arrived() -> list[Record]:
    return numbered(LOG.records(seed=4))


def fed(world: Memory, records: Iterable[Record]) -> set[bytes]:
    log = list(records)
    for begin in range(0, len(log), BATCH):
        world.feed(log[begin : begin + BATCH])
    return finals(world.findings)


def scattered(record: Record) -> Record:
    """A match goes where its event sends it, not where its group lives."""
    if not record.key:
        return record
    return record._replace(
        partition=crc32(orjson.loads(record.value or b"")["event_id"].encode()) % PARTITIONS
    )


@pytest.mark.claim(
    "model: what is settled is kept: without it a part of the log read again makes other finals"
)
def test_the_floor_of_a_group_is_needed() -> None:
    log = arrived()
    world, wanted = Memory(evaluator()), LOG.finals()
    assert fed(world, log) == wanted
    for kind, exact in ((Memory, True), (Floorless, False)):
        found: list[set[bytes]] = []
        for tenth in range(3, 7):
            restarted = kind(evaluator())
            restarted.values, restarted.findings = dict(world.values), list(world.findings)
            found.append(fed(restarted, log[len(log) * tenth // 10 :]))
        assert all(finals == wanted for finals in found) is exact


@pytest.mark.claim("model: all matches of a group lie in one partition: scattered they make other finals")
def test_matches_must_be_keyed_by_group() -> None:
    assert fed(Memory(evaluator()), arrived()) == LOG.finals()
    assert fed(Memory(evaluator()), map(scattered, arrived())) != LOG.finals()


@pytest.mark.claim(
    "model: what more events undo is told only when it is final: told on arrival it would be wrong"
)
def test_only_what_more_events_cannot_undo_is_told_on_arrival() -> None:
    correlator = Correlator(FEW)
    matches = [_match(n, 100.0 + n) for n in range(3)]
    told: list[int] = []
    for count in range(1, 4):
        early, whole = Window(), Window()
        assert not correlator.step(early, matches[:count], 110.0).findings
        told.append(len(correlator.step(whole, matches[:count], 1000.0).finals))
    assert told == [1, 1, 0], "two matches would have been told as a finding; with the third it is none"


@pytest.mark.claim(
    "a state never exceeds its cap: what is over it is turned away, counted, and said in the final"
)
def test_states_are_capped_and_say_so() -> None:
    world = Memory(evaluator())
    first = next(record for record in arrived() if record.key)
    document = orjson.loads(first.value or b"") | {"summary": "x" * 2_000}
    flood = [
        first._replace(value=orjson.dumps(document | {"event_id": f"e{number}"}), offset=number)
        for number in range(600)
    ]
    assert sum(len(record.value or b"") for record in flood) > 2 * MAX_BYTES
    fed(world, flood)
    assert 0 < max(map(len, world.values.values())) <= MAX_BYTES + 4096, "the rows, and a frame around them"
    last = [record for record in arrived() if not record.key][-PARTITIONS:]
    fed(world, last)
    assert [found["labels"].get("overflow") for found in world.findings if found["status"] == "final"] == [
        "true"
    ]


def _match(number: int, at: float) -> Match:
    return Match("c", "a", (), f"e{number}", at, "plain", "low", (Entity("k8s_user", "eve", "actor"),), "kim")
