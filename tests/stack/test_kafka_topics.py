"""`davylamp topics create` on real Kafka: what it makes, what it says, and that twice is as good as once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from kafka.cluster import Cluster
from parts.kafka import KafkaPart
from parts.secure_kafka import SecureKafkaPart, every_acl

from connectors.kafka.topics import INTERNAL, KEPT_BY_KEY
from daemon.cli.main import cli

CHANGELOGS = {f"davylamp-correlate-{table}-changelog" for table in ("correlations", "baselines")}


class Command:
    """The command with a configuration for one broker."""

    def __init__(self, brokers: str, folder: Path) -> None:
        self._config = folder / "davylamp.yaml"
        self._config.write_text(yaml.safe_dump({"kafka": {"brokers": [brokers]}}), encoding="utf-8")

    def __call__(self, *words: str) -> Result:
        return CliRunner().invoke(cli, ["topics", "create", "--config", str(self._config), *words])

    def document(self, *words: str) -> dict[str, Any]:
        ran = self(*words, "--json")
        assert ran.exit_code == 0, ran.output
        return json.loads(ran.stdout)


@pytest.fixture
def secured(secure_kafka: SecureKafkaPart, tmp_path: Path) -> Command:
    """A broker with ACLs and without topics, as its super user."""
    Cluster(secure_kafka.admin_brokers).wipe()
    secure_kafka.remove_acls(every_acl())
    return Command(secure_kafka.admin_brokers, tmp_path)


def states(document: dict[str, Any], kind: str) -> set[str]:
    return {one["state"] for one in document[kind]}


@pytest.mark.claim("topics create --acls says first, then makes, then finds everything there")
def test_dry_run_then_made_then_there(secured: Command, secure_kafka: SecureKafkaPart) -> None:
    cluster = Cluster(secure_kafka.admin_brokers)
    planned = secured.document("--acls", "--dry-run")
    assert states(planned, "topics") == states(planned, "acls") == {"missing"}
    assert cluster.topics() == {} and secure_kafka.acls() == []
    made = secured.document("--acls")
    assert states(made, "topics") == states(made, "acls") == {"created"}
    assert set(cluster.topics()) == set(INTERNAL) | CHANGELOGS
    held = {(a.principal, a.name, a.operation.name.lower()) for a in secure_kafka.acls()}
    assert held == {(a["principal"], a["name"], a["operation"]) for a in planned["acls"]}
    again = secured.document("--acls")
    assert states(again, "topics") == states(again, "acls") == {"there"}
    assert again["beyond"] == [] and all(not topic["differs"] for topic in again["topics"])
    ran = secured("--acls")
    assert ran.stdout.splitlines() == ["every topic is there", "every right is there"]


@pytest.mark.claim("topics are made with append time, and compacted where the contract keeps them by key")
def test_settings_are_those_of_the_contract(secured: Command, secure_kafka: SecureKafkaPart) -> None:
    secured.document()
    settings = Cluster(secure_kafka.admin_brokers).settings(INTERNAL)
    for name, found in settings.items():
        assert found["message.timestamp.type"] == "LogAppendTime"
        assert found["cleanup.policy"] == ("compact" if name in KEPT_BY_KEY else "delete")
        assert found["max.message.bytes"] == str(4 * 1024 * 1024)


@pytest.mark.claim("a topic that is there with other settings is named and left as it is")
def test_a_topic_that_differs_is_named(secured: Command, secure_kafka: SecureKafkaPart) -> None:
    cluster = Cluster(secure_kafka.admin_brokers)
    cluster.create("davylamp.findings", 2, {"message.timestamp.type": "CreateTime"})
    ran = secured()
    assert ran.exit_code == 0
    assert "differs: topic davylamp.findings: partitions is 2, the contract wants 4" in ran.stdout
    assert "message.timestamp.type is CreateTime, the contract wants LogAppendTime" in ran.stdout
    assert cluster.topics()["davylamp.findings"] == 2


@pytest.mark.claim("rights on Davylamp's topics that the contract does not give are named")
def test_rights_beyond_the_contract_are_named(secured: Command) -> None:
    secured.document("--acls", "--principal", "detect=old-detect")
    ran = secured("--acls", "--principal", "detect=new-detect")
    assert "created right User:new-detect write topic davylamp.findings" in ran.stdout
    assert "beyond the contract: User:old-detect may write literal topic davylamp.findings" in ran.stdout


@pytest.mark.claim("rights on a broker without an authorizer end with the reason and exit 3")
def test_what_cannot_be_done_is_said(kafka: KafkaPart, tmp_path: Path) -> None:
    ran = Command(kafka.brokers, tmp_path)("--acls", "--dry-run")
    assert ran.exit_code == 3
    assert "ACLs cannot be read: SecurityDisabled No Authorizer" in ran.stderr


def test_a_principal_for_no_role_is_a_usage_error(tmp_path: Path) -> None:
    command = Command("127.0.0.1:1", tmp_path)
    assert command("--acls", "--principal", "nobody=x").exit_code == 2
    assert command("--principal", "detect=x").exit_code == 2
