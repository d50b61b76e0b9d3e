"""Each stage that leaves a record is seen by a rule or a baseline, on its own record alone."""

from __future__ import annotations

import pytest

from config.detection import Detection
from config.kafka import RawTopics
from connectors.sources import catalogue
from connectors.sources.envelope import unpack
from daemon.demo.attack import DROP_HOST, STAGES, Attack, Stage
from daemon.demo.traffic import platform
from daemon.demo.traffic.record import seeded
from daemon.demo.vault_scene import ENTERED
from daemon.ruleset import ruleset as load_rules
from detectors.event import Event
from detectors.level import rank
from detectors.sigma.engine import Engine

_AT = 1_795_400_000.0
_KINDS = RawTopics().kinds()
_BY_RULE = [stage for stage in STAGES if stage.deed is not None and stage.shows != "mesh"]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(load_rules(Detection()))


@pytest.fixture
def attack() -> Attack:
    return Attack(platform.build(7), seeded("attack", 1))


def test_there_are_ten_stages_in_order() -> None:
    assert [stage.number for stage in STAGES] == list(range(1, 11))
    assert [stage.number for stage in STAGES if stage.deed is None] == [7, 8]


@pytest.mark.parametrize("stage", _BY_RULE, ids=lambda stage: str(stage.number))
def test_a_stage_trips_a_rule_of_medium_or_above_and_its_marker_names_the_event(
    stage: Stage, attack: Attack, engine: Engine
) -> None:
    event, marker = _event(stage, attack)
    loud = [f for f in engine.inspect(event).findings if rank(f.level) >= rank("medium")]
    assert loud, f"stage {stage.number} is not seen"
    assert all(f.event_id == marker or f.event_id.startswith(f"{marker}/") for f in loud)


def test_the_shell_is_opened_by_websocket_into_a_pod_whose_address_is_known(attack: Attack) -> None:
    event, _ = _event(STAGES[3], attack)
    assert event.fields["verb"] == "get"
    entities = {(e.type, e.id) for e in event.profile.entities(event)}
    assert ("pod", f"terraminer-data/{attack.entered.name}") in entities


def test_the_drop_is_a_contact_of_the_entered_workload_with_an_unregistered_host(attack: Attack) -> None:
    event, marker = _event(STAGES[8], attack)
    (contact,) = event.profile.contacts(event)
    name, _, namespace = ENTERED.partition(".")
    assert contact.model == "mesh_edge"
    assert contact.subject == ("workload", f"{namespace}/{name}")
    assert contact.peer == ("host", DROP_HOST)
    assert event.event_id.startswith(f"{marker}/")


def _event(stage: Stage, attack: Attack) -> tuple[Event, str]:
    assert stage.deed is not None
    deed = stage.deed(attack, _AT)
    assert deed.record is not None
    source = catalogue.profile(_KINDS[deed.record.topic])
    (event,) = unpack(deed.record.value, source, deed.record.topic, 0, 0).events
    return event, deed.marker
