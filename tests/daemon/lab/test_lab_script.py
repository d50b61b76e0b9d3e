"""A play: the same bytes for a seed, other names for another, every record as its source writes it."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from connectors.sources.catalogue import profile
from connectors.sources.files import read_events
from daemon.lab.catalogue import LOOK_ALIKES, TECHNIQUES, everything
from daemon.lab.folder import INVENTORY, LABELS, MESH_TEXT, file_of, write
from daemon.lab.inventory import classes
from daemon.lab.script import Plan, UnknownTechniqueError, written
from daemon.lab.stage import ISTIO, KINDS
from daemon.lab.world import build
from detectors.event import Event
from detectors.inventory.shipped import classes as known_classes

ATTACK = Path(__file__).parents[2] / "detectors" / "rules" / "attack_enterprise_v19.csv"


def test_the_catalogue_has_at_least_sixty_techniques_and_every_source():
    assert sum(map(len, TECHNIQUES.values())) >= 60
    assert all(TECHNIQUES[kind] and LOOK_ALIKES[kind] for kind in KINDS)


def test_ids_are_given_once_and_attack_ids_are_of_the_pinned_version():
    ids = [one.id for one in everything()]
    assert len(ids) == len(set(ids))
    known = {line.split(",", 1)[0] for line in ATTACK.read_text(encoding="utf-8").splitlines()}
    for kind in KINDS:
        for one in TECHNIQUES[kind]:
            assert one.attack and set(one.attack) <= known, (one.id, set(one.attack) - known)
            assert set(one.needs) <= set(known_classes()), one.id
        assert all(one.why and not one.attack for one in LOOK_ALIKES[kind])


def test_the_same_plan_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        write(written(Plan(3, background=20)), tmp_path / name)
    for name in (*map(file_of, KINDS), MESH_TEXT, LABELS, INVENTORY):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def names_of(seed):
    world = build(seed)
    people = {name for one in world.people for name in (one.user, one.mail, one.access_key, one.address)}
    workloads = (*world.workloads, world.store, world.ci, world.backup, world.rotation)
    pods = {name for one in workloads for pod in one.pods for name in (pod.name, pod.address)}
    places = {world.account, world.company, world.cluster, world.trail, world.data_bucket, world.database}
    return people | pods | places | {one.name for one in world.nodes}


def test_another_seed_is_another_company():
    first, *others = (names_of(seed) for seed in range(1, 5))
    for other in others:
        assert len(first & other) <= len(first) // 50, first & other


def test_a_technique_plays_the_same_whatever_else_is_played():
    alone = written(Plan(5, chosen=("k8s-admin-bound",), background=0))
    beside = written(Plan(5, chosen=("k8s-admin-bound", "vault-sealed"), background=10))
    bodies = [one.body for one in beside.played if one.label == "k8s-admin-bound"]
    for body, other in zip([one.body for one in alone.played], bodies, strict=True):
        assert {k: v for k, v in body.items() if "imestamp" not in k} == {
            k: v for k, v in other.items() if "imestamp" not in k
        }


def test_an_unknown_technique_is_refused_by_name():
    with pytest.raises(UnknownTechniqueError, match="no-such"):
        written(Plan(1, chosen=("no-such",)))


@pytest.mark.parametrize("kind", KINDS)
def test_every_record_is_read_by_its_source_and_labelled_by_its_id(lab_files, kind):
    events = list(read_events(lab_files.folder / file_of(kind), profile(kind)))
    played = lab_files.script.of(kind)
    assert len(events) == len(played) == lab_files.labels["counts"][kind]
    for event, one in zip(events, played, strict=True):
        assert isinstance(event, Event), event
        assert abs(event.time - one.time) < 1.1, (one.label, event.time, one.time)
        if one.source_id:
            assert event.event_id.split("/")[0] == one.source_id


def test_the_text_lines_of_the_mesh_are_the_same_calls(lab_files):
    events = list(read_events(lab_files.folder / MESH_TEXT, profile(ISTIO)))
    for event, one in zip(events, lab_files.script.of(ISTIO), strict=True):
        assert isinstance(event, Event), event
        for name in ("method", "path", "response_code", "upstream_cluster", "downstream_remote_address"):
            assert event.fields.get(name) == one.body[name], (one.label, name)


def test_labels_name_the_lines_where_the_records_stand(lab_files):
    lines = {kind: (lab_files.folder / file_of(kind)).read_bytes().splitlines() for kind in KINDS}
    for label in (*lab_files.labels["techniques"], *lab_files.labels["look_alikes"]):
        assert label["records"], label["id"]
        for record in (*label["records"], *label["supporting"]):
            text = lines[label["source"]][record["line"] - 1]
            assert record["id"] is None or record["id"].encode() in text
            assert orjson.loads(text)


def test_every_class_of_the_inventory_is_one(lab_files):
    assert set(classes(lab_files.script.world)) <= set(known_classes())
