"""TLS, SCRAM and ACLs: roles work as users of their own with the contract's rights and say what they lack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import orjson
import pytest
from kafka.bursts import BURST
from kafka.cluster import Record
from kafka.records import CLOUDTRAIL, KUBERNETES, STOPPED, VAULT, cloudtrail
from kafka.refusals import refused
from kafka.role_task import becomes, role_task
from kafka.secure_stage import PLATFORM, SecureStage
from kafka.waiting import until
from parts.secure_kafka import SecureKafkaPart

from config.settings import Role

ROLES: tuple[Role, ...] = ("detect", "correlate", "forward")


@pytest.fixture
def stage(secure_kafka: SecureKafkaPart, tmp_path: Path) -> Iterator[SecureStage]:
    with ExitStack() as stack:
        yield SecureStage(secure_kafka, tmp_path, stack)


def attack() -> list[Record]:
    """Three refused requests, a burst that correlate finds, and a stopped trail that detect finds."""
    requests = [(KUBERNETES, 0, orjson.dumps(refused(n))) for n in range(3)]
    return [*requests, (CLOUDTRAIL, 0, orjson.dumps(cloudtrail(1, STOPPED)))]


@pytest.mark.claim("detect, correlate and forward work over TLS and SCRAM with exactly the contract's ACLs")
def test_every_role_works_as_its_own_user_with_the_rights_of_the_contract(stage: SecureStage) -> None:
    workers = [stage.role(role).start() for role in ROLES]
    stage.user(PLATFORM).fill(attack())
    for worker in workers:
        worker.wait_ready()
    found = lambda: {f["rule_id"] for f in stage.admin.documents("davylamp.findings")}  # noqa: E731
    until(lambda: len(found()) == 2, found)
    assert BURST in found()
    forward = workers[-1]
    counted = lambda: forward.status()["conservation"]["file"]  # noqa: E731
    until(lambda: counted()["findings"].get("items:delivered", 0) >= 2, counted)
    assert counted()["kubernetes_audit"]["items:delivered"] == 3
    made = {(a["principal"], a["name"], a["operation"]) for a in stage.made["acls"]}
    held = {(a.principal, a.name, a.operation.name.lower()) for a in stage.part.acls()}
    assert held == made, "no right was needed that the command did not give"


@pytest.mark.claim("nobody but detect and correlate may write findings: the broker refuses the others")
@pytest.mark.parametrize("user", ["davylamp-forward", PLATFORM])
def test_others_may_not_write_findings(stage: SecureStage, user: str) -> None:
    with pytest.raises(AssertionError, match="TOPIC_AUTHORIZATION_FAILED"):
        stage.user(user).fill([("davylamp.findings", 0, b"{}")], **{"message.timeout.ms": 5000})
    assert stage.admin.ends("davylamp.findings") == dict.fromkeys(range(4), (0, 0))


LACKING: Sequence[tuple[Role, str, str]] = (
    ("detect", "davylamp-detect", "read"),
    ("detect", VAULT, "read"),
    ("detect", "davylamp.verdicts", "read"),
    ("detect", "davylamp.findings", "write"),
    ("detect", "davylamp.matches", "write"),
    ("correlate", "davylamp.matches", "read"),
    ("correlate", "davylamp-correlate", "read"),
    ("forward", "davylamp-forward-file", "read"),
    ("forward", "davylamp.findings", "read"),
    ("forward", KUBERNETES, "read"),
)


@pytest.mark.claim("a role without one of its rights is not ready and names the topic or group it is refused")
async def test_a_missing_right_is_named_by_readiness(stage: SecureStage) -> None:
    for role, name, operation in LACKING:
        stage.take_away(name, operation, f"davylamp-{role}")
        stage.user(PLATFORM).fill(attack())
        async with role_task(role, stage.settings(role)) as task:
            named = lambda task=task, name=name: name in task.kafka_detail()  # noqa: E731
            await becomes(named, task.status)
            assert not task.ready
        stage.give_back()


@pytest.mark.claim("a role that is given a missing right goes on by itself and reads what it had not seen")
async def test_a_right_that_is_given_later_is_used_without_a_restart(stage: SecureStage) -> None:
    stage.take_away(VAULT, "read", "davylamp-detect")
    async with role_task("detect", stage.settings("detect")) as task:
        await becomes(lambda: VAULT in task.kafka_detail(), task.status)
        stage.give_back()
        await becomes(lambda: task.ready, task.kafka_detail)
        assert task.lag(f"{VAULT}/0") is not None
