"""The real vault of the demo: identities, the thief's read and what its audit log says of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.sources import catalogue
from connectors.sources.envelope import unpack
from daemon.demo import database_scene, vault_scene
from daemon.demo.error import SceneError, StoryError
from daemon.demo.parts.openbao import OpenBaoPart
from daemon.demo.parts.postgres import PostgresPart
from daemon.demo.thief import Thief
from daemon.demo.traffic import platform
from daemon.demo.vault_scene import ENTERED, VaultScene

pytestmark = pytest.mark.integration

_OWN = 'path "database/static-creds/analytics" { capabilities = ["read"] }'


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PostgresPart, OpenBaoPart, VaultScene]]:
    folder: Path = tmp_path_factory.mktemp("stage")
    postgres, vault = PostgresPart(folder), OpenBaoPart(folder)
    try:
        postgres.start()
        vault.start()
        database = database_scene.prepare(postgres)
        yield postgres, vault, vault_scene.prepare(vault, postgres, database, platform.build(7), _OWN)
    finally:
        vault.stop()
        postgres.remove()


@pytest.fixture
def thief(stage: tuple[PostgresPart, OpenBaoPart, VaultScene]) -> Iterator[Thief]:
    postgres, vault, scene = stage
    workload = platform.build(7).workload(ENTERED)
    thief = Thief(vault, postgres, workload, workload.pods[0], scene.stolen)
    yield thief
    thief.leave()


def test_every_reader_has_an_entity_of_its_own(stage: tuple[PostgresPart, OpenBaoPart, VaultScene]) -> None:
    scene = stage[2]
    entities = {identity.entity_id for identity in scene.identities.values()}
    assert len(entities) == len(scene.identities) == len(platform.build(7).readers)
    assert scene.identities[ENTERED].metadata["service_account_namespace"] == "terraminer-data"


def test_the_read_is_audited_from_the_pods_address_under_its_workloads_entity(
    stage: tuple[PostgresPart, OpenBaoPart, VaultScene], thief: Thief
) -> None:
    _, vault, scene = stage
    request_id = thief.read_password()
    lines = vault.audit_file.read_bytes().splitlines()
    mine = [line for line in lines if json.loads(line)["request"]["id"] == request_id]
    source = catalogue.profile("vault_audit")
    events = [event for line in mine for event in unpack(line, source, "vault.audit", 0, 0).events]
    assert [event.fields["type"] for event in events] == ["request", "response"]
    found = {(e.type, e.id) for e in source.entities(events[1])}
    assert ("credential", "database:database/analytics") in found
    assert ("vault_entity", scene.identities[ENTERED].entity_id) in found
    assert ("address", thief.pod.address) in found
    assert events[1].event_id == f"{request_id}/response"


def test_a_changed_password_ends_nothing_by_itself_and_refuses_the_next_login(
    stage: tuple[PostgresPart, OpenBaoPart, VaultScene], thief: Thief
) -> None:
    vault = stage[1]
    thief.read_password()
    assert thief.open_session() == 2000
    assert thief.try_again().verdict == "accepted"
    vault.call("POST", "database/rotate-role/analytics")
    assert thief.session_lives()
    assert (thief.try_again().verdict, thief.try_again().code) == ("refused", "28P01")


def test_a_thief_without_the_password_gets_nothing(
    stage: tuple[PostgresPart, OpenBaoPart, VaultScene], thief: Thief
) -> None:
    with pytest.raises(StoryError):
        thief.open_session()
    assert not thief.session_lives()


def test_davylamps_own_token_may_do_no_more_than_its_policy(
    stage: tuple[PostgresPart, OpenBaoPart, VaultScene],
) -> None:
    _, vault, scene = stage
    vault.call("GET", "database/static-creds/analytics", token=scene.davylamp_token)
    for path in ("database/static-creds/customer-records", "sys/mounts"):
        with pytest.raises(SceneError, match="HTTP 403"):
            vault.call("GET", path, token=scene.davylamp_token)
