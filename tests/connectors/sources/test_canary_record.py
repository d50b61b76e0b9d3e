"""The synthetic records: one event of their source each, found by the canary rule and by no other."""

from __future__ import annotations

import pytest

from connectors.sources.canary_record import canary_record
from connectors.sources.catalogue import KINDS, profile
from connectors.sources.envelope import unpack
from detectors.canary.finding import RULES
from detectors.canary.proof import Slot
from detectors.event import Event
from detectors.rules import builtin
from detectors.sigma.engine import Engine
from detectors.sigma.ruleset import RuleSet

DUE = 1_795_000_200


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(RuleSet.load(builtin()))


def event_of(kind: str, due: int = DUE, partition: int = 0) -> Event:
    unpacked = unpack(canary_record(Slot(kind, "t", partition, due)), profile(kind), "t", partition, 7)
    assert not unpacked.rejects
    (event,) = unpacked.events
    return event


@pytest.mark.parametrize("kind", KINDS)
def test_a_canary_is_one_event_at_its_slot_that_feeds_no_baseline(kind):
    event = event_of(kind)
    assert event.time == DUE
    assert list(event.profile.contacts(event)) == []
    assert list(event.profile.aliases_in(event)) == []
    assert event.profile.outcome(event) == "success"


@pytest.mark.parametrize("kind", KINDS)
def test_only_its_own_rule_finds_it(engine, kind):
    found = engine.inspect(event_of(kind))
    assert [finding.rule_id for finding in found.findings] == [RULES[kind]]
    assert found.findings[0].level == "informational"


@pytest.mark.parametrize("kind", KINDS)
def test_each_slot_and_partition_has_an_id_of_its_own_and_every_sender_the_same_bytes(kind):
    ids = {event_of(kind, due, partition).event_id for due in (DUE, DUE + 300) for partition in (0, 1)}
    assert len(ids) == 4
    slot = Slot(kind, "t", 0, DUE)
    assert canary_record(slot) == canary_record(slot)


def test_every_source_has_a_record_and_a_rule():
    assert set(RULES) == set(KINDS)
