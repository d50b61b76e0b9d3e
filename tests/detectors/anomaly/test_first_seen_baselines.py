"""First-seen baselines: silent while learning, one finding a new peer, nothing on replay."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.anomaly.first_seen import MAX_PEERS, MODELS, observe
from detectors.anomaly.flow import FlowFormatError
from detectors.event import Entity, Fields

DAY = 86400.0
LEARNING = 7 * DAY
MESH, READER = MODELS["mesh_edge"], MODELS["credential_reader"]


def flow(
    peer: str,
    day: float,
    event: str = "",
    *,
    kind: str = "host",
    subject: str = "shop/web",
    out: bool = False,
) -> Fields:
    at = day * DAY
    return {
        "kind": "flow",
        "flow_id": f"f-{peer}-{day}",
        "model": "mesh_edge",
        "source": "istio_access",
        "topic": "t",
        "partition": 0,
        "block": int(day),
        "subject": ["workload", subject],
        "peer": [kind, peer],
        "count": 3,
        "bytes_out": 10,
        "first_time": at,
        "last_time": at + 5,
        "first_event_id": event or f"e-{peer}-{day}",
        "entities": [{"type": "address", "id": "10.0.0.7", "role": "source"}],
        "outside": out,
    }


def learned(*peers: str) -> Fields:
    state: Fields = {}
    for place, peer in enumerate(peers):
        step = observe(MESH, state, flow(peer, place / 10), LEARNING)
        assert not step.findings
        state = dict(step.state)
    return state


def test_a_new_peer_after_learning_is_said_with_observed_and_expected() -> None:
    state = learned("a.shop.svc.cluster.local", "b.shop.svc.cluster.local", "api.example.com")
    step = observe(MESH, state, flow("files.example.net", 8, "e9", out=True), LEARNING)
    [finding] = step.findings
    assert finding.explain == (
        "workload shop/web reached host files.example.net, unknown to the mesh, for the first time; in 8.0 "
        "days it had reached 3 hosts: a.shop.svc.cluster.local, api.example.com, b.shop.svc.cluster.local"
    )
    assert (finding.level, finding.status, finding.source) == ("high", "final", "istio_access")
    assert (finding.event_id, finding.event_time) == ("e9", 8 * DAY)
    assert finding.entities == (
        Entity("workload", "shop/web", "actor"),
        Entity("host", "files.example.net", "target"),
        Entity("address", "10.0.0.7", "source"),
    )
    assert finding.labels["playbook"] == "mesh-downgrade"


@pytest.mark.parametrize(("out", "level"), [(False, "medium"), (True, "high")])
def test_a_host_unknown_to_the_mesh_is_graver(out: bool, level: str) -> None:
    [finding] = observe(MESH, learned("a"), flow("api.example.com", 9, out=out), LEARNING).findings
    assert finding.level == level


def test_credential_readers_are_always_high() -> None:
    state = observe(READER, {}, flow("database:database/a", 0, kind="credential"), LEARNING).state
    step = observe(READER, dict(state), flow("database:database/b", 8, kind="credential"), LEARNING)
    [finding] = step.findings
    assert (finding.level, finding.source) == ("high", "vault_audit")
    assert "had read 1 credential: database:database/a" in finding.explain
    assert finding.labels["playbook"] == "leaked-credential"


def test_a_subject_without_baseline_is_silent_and_counted() -> None:
    step = observe(MESH, {}, flow("evil.example", 100), LEARNING)
    assert not step.findings
    assert step.counts == {"no_baseline": 1, "learning": 1}


def test_learning_ends_exactly_at_its_length() -> None:
    state = learned("a")
    assert not observe(MESH, state, flow("b", 6.999), LEARNING).findings
    assert observe(MESH, state, flow("b", 7), LEARNING).findings


def test_replay_gives_nothing_new_and_a_lost_state_the_same_id() -> None:
    state = learned("a")
    new = flow("b", 8)
    step = observe(MESH, state, new, LEARNING)
    again = observe(MESH, dict(step.state), new, LEARNING)
    assert (list(again.findings), again.changed) == ([], False)
    earlier = flow("b", 7.5, "e-before")
    assert not observe(MESH, dict(step.state), earlier, LEARNING).findings
    assert observe(MESH, state, new, LEARNING).findings == step.findings


def test_state_is_not_changed_in_place() -> None:
    state = learned("a")
    before = json.dumps(state)
    observe(MESH, state, flow("b", 8), LEARNING)
    assert json.dumps(state) == before


def test_a_full_subject_is_counted_not_reported() -> None:
    state: Fields = {"first": 0.0, "peers": {f"host:h{n}": [0.0, "e"] for n in range(MAX_PEERS)}}
    step = observe(MESH, state, flow("new", 9), LEARNING)
    assert (list(step.findings), step.changed, step.counts) == ([], False, {"overflow": 1})


def test_hostile_names_stay_bounded() -> None:
    state = learned("a")
    step = observe(MESH, state, flow("x\u202e\n" + "y" * 9000, 8, "e8"), LEARNING)
    assert step.findings[0].explain.isprintable()
    assert len(json.dumps(step.state)) < 1000


@pytest.mark.parametrize("broken", [{}, {"kind": "match"}, {"kind": "flow"}, {**flow("a", 1), "peer": 3}])
def test_what_is_no_flow_is_named(broken: Fields) -> None:
    with pytest.raises(FlowFormatError):
        observe(MESH, {}, broken, LEARNING)


PEERS = st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 20)), max_size=20)


@settings(max_examples=200, deadline=None)
@given(PEERS, st.integers(0, 20))
def test_each_peer_is_reported_at_most_once_under_replay(flows: list[tuple[str, int]], cut: int) -> None:
    records = [flow(peer, float(day)) for peer, day in sorted(flows, key=lambda item: item[1])]

    def reported(items: list[Fields]) -> list[Any]:
        state: Fields = {}
        out: list[Any] = []
        for item in items:
            step = observe(MESH, state, item, LEARNING)
            state = json.loads(json.dumps(step.state))
            out += step.findings
        return out

    once = reported(records)
    assert len({item.entities[1] for item in once}) == len(once)
    replayed = reported([*records[:cut], *records])
    assert {item.finding_id for item in replayed} == {item.finding_id for item in once}
    assert len(replayed) == len(once)
