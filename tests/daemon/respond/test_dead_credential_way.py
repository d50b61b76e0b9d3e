"""From a proof to the thief's next try: what respond proved dead, detect sees used, and an incident opens."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import orjson
import pytest
from aiokafka.structs import ConsumerRecord, TopicPartition
from pydantic import SecretStr
from sqlalchemy import select

from config.response import Target
from config.secret import Secret
from connectors.kafka.batch import PartitionBatch, Record
from connectors.kafka.producer import Message
from connectors.rotation.vault_token import VaultTokenTarget
from connectors.sources.catalogue import profile
from connectors.store import outbox
from connectors.store.finishing import Ending
from connectors.store.finishing import finish as finish_action
from connectors.store.ingest import IngestReport, ingest
from connectors.store.schema import actions, incidents
from daemon.demo.parts.openbao import OpenBaoPart
from daemon.roles.detect.repeated import RepeatedIds
from daemon.roles.detect.stage import DetectStage
from detectors.dead_credential import RULE_ID, read
from detectors.finding import Finding, rfc3339
from detectors.sigma.engine import Engine
from detectors.sigma.ruleset import RuleSet
from playbooks.library import builtin, load
from playbooks.policy import NotifierRule, Policy
from playbooks.proof import Check, Proof
from playbooks.target import TargetRef

pytestmark = pytest.mark.integration
REFUSED = Check("old_refused", True, 3, 0.0, 60.0, "aws sts", "InvalidClientTokenId")
TP = TopicPartition("raw", 0)


class Line:
    """detect's stage over one partition, and respond's intake of what it finds."""

    def __init__(self, desk: Any, policy: Policy, kind: str = "vault_audit") -> None:
        self.desk, self.policy = desk, policy
        self.sent: list[Message] = []
        self.read, self.offset = 0, 0
        self.stage = DetectStage(
            source_of={TP.topic: profile(kind)},
            engine=Engine(RuleSet.load([])),
            send=self._send,
            repeated=RepeatedIds(1000),
            clock=time.time,
            max_record_bytes=1 << 20,
        )
        self.stage.assigned({TP: 0})

    async def _send(self, messages: Sequence[Message]) -> None:
        self.sent += messages

    async def take(self, lines: Sequence[bytes]) -> list[Finding]:
        """Feed records; return the findings that came out, aliases too."""
        stamp = int(time.time() * 1000)
        records: list[Record] = [
            ConsumerRecord(*TP, self.offset + n, stamp, 1, None, line, None, -1, len(line), ())
            for n, line in enumerate(lines)
        ]
        self.sent.clear()
        self.offset += len(lines)
        await self.stage.handle([PartitionBatch(TP, records, 0)] if records else [])
        found = [m.value for m in self.sent if m.topic == "davylamp.findings" and m.value]
        return [Finding.from_json(orjson.loads(value)) for value in found]

    def ingest(self, found: Sequence[Finding]) -> IngestReport:
        rows = [("davylamp.findings", 0, n, finding) for n, finding in enumerate(found)]
        return ingest(self.desk.database, rows, {}, time.time(), self.policy)

    def hear(self) -> None:
        """Let detect hear every verdict that respond's transactions left for Kafka."""
        with self.desk.database.reading() as connection:
            told = [m.value for m in outbox.pending(connection, 500) if m.topic == "davylamp.verdicts"]
        self.stage.dead.known.add([one for one in map(read, told) if one is not None])


@pytest.fixture(scope="module")
def plain_vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBaoPart]:
    """A vault whose audit device tells accessors as they are, as kind `vault_token` needs them."""
    folder = tmp_path_factory.mktemp("plain")
    part = OpenBaoPart(folder, durable=True)
    configured = folder / "openbao.hcl"
    text = configured.read_text()
    configured.write_text(
        text.replace("options { file_path", 'options { hmac_accessor = "false"\n file_path')
    )
    part.start()
    yield part
    part.stop()


def present(vault: OpenBaoPart, token: str, path: str = "auth/token/lookup-self") -> int:
    headers = {"X-Vault-Token": token}
    return httpx.get(f"{vault.address}/v1/{path}", headers=headers, trust_env=False).status_code


async def test_a_revoked_token_that_is_presented_again_opens_a_critical_incident(
    scene, plain_vault, desk, worker_for, finish
):
    own = type(scene)(plain_vault, scene.database, scene.observer_password)
    target = VaultTokenTarget(name="any", classification="internal", owner="data")
    made = plain_vault.call("POST", "auth/token/create", {"policies": ["default"]})["auth"]
    stolen, accessor = made["client_token"], made["accessor"]
    ref = TargetRef(target.kind, target.mount, target.name, "internal", "data")
    policy = Policy(targets=(ref,), playbooks=load(builtin()), notifiers=(NotifierRule("webhook"),))
    line = Line(desk, policy)
    audit = Audit(plain_vault)

    assert present(plain_vault, stolen) == 200
    line.ingest(await line.take(audit.new()))
    action = desk.queue(target.model_copy(update={"name": f"any/{accessor}"}))
    settings = own.settings(target)
    assert finish(desk, worker_for(own, settings, policy=lambda: policy), action) == "succeeded"
    before = await line.take(audit.new())
    assert [f for f in before if f.rule_id == RULE_ID] == []
    line.hear()

    assert [present(plain_vault, stolen), present(plain_vault, stolen, "sys/mounts")] == [403, 403]
    uses = audit.new()
    assert not any(accessor.encode() in one for one in uses), "of a dead token the vault tells no accessor"
    found = [f for f in await line.take(uses) if f.rule_id == RULE_ID]
    assert len(found) == 1, "once a minute"
    assert found[0].entities[0] == ("vault_token", accessor, "actor")
    report = line.ingest(found)
    assert len(report.opened) == 1
    with desk.database.reading() as connection:
        row = connection.execute(select(incidents).where(incidents.c.id == report.opened[0])).mappings().one()
        ids = list(connection.execute(select(actions.c.id)).scalars())
    assert (row["level"], row["playbook_id"]) == ("critical", "dead-credential")
    assert ids == [action], "what is dead is not rotated again"
    assert "dead_credential_used" in desk.kinds(desk.action(action)["incident_id"])

    line.stage.assigned({TP: 0})
    again = await line.take(audit.every())
    replayed = line.ingest(again)
    assert (replayed.opened, replayed.planned, replayed.pages) == ([], [], 0)
    assert {f.finding_id for f in again if f.rule_id == RULE_ID} == {found[0].finding_id}


async def test_our_own_proof_that_tries_the_old_token_is_no_thief(
    scene, plain_vault, desk, worker_for, finish
):
    own = type(scene)(plain_vault, scene.database, scene.observer_password)
    made = plain_vault.call("POST", "auth/token/create", {"policies": ["default"]})["auth"]
    leaked = Secret(value=SecretStr(made["client_token"]))
    target = VaultTokenTarget(name="any", classification="internal", owner="data", leaked=leaked)
    ref = TargetRef(target.kind, target.mount, target.name, "internal", "data")
    policy = Policy(targets=(ref,), playbooks=load(builtin()))
    line, audit = Line(desk, policy), Audit(plain_vault)
    assert present(plain_vault, made["client_token"]) == 200
    line.ingest(await line.take(audit.every()))
    action = desk.queue(target.model_copy(update={"name": f"any/{made['accessor']}"}))
    assert finish(desk, worker_for(own, own.settings(target)), action) == "succeeded"
    line.hear()
    found = await line.take(audit.every())
    assert [f for f in found if f.rule_id == RULE_ID] == [], "its events are not after the proof"


def key_call(at: float, key: str) -> bytes:
    body = {
        "eventTime": rfc3339(at),
        "eventID": f"call-{at}",
        "eventSource": "s3.amazonaws.com",
        "eventName": "ListBuckets",
        "sourceIPAddress": "198.51.100.7",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/etl", "accessKeyId": key},
    }
    return orjson.dumps(body)


@pytest.mark.parametrize("wrapped", [False, True], ids=["one event", "an envelope of events"])
async def test_an_access_key_that_was_rotated_away_and_is_used_opens_a_critical_incident(desk, wrapped):
    target = Target(
        kind="aws_iam_access_key", mount="secret", name="etl", classification="internal", owner="d"
    )
    arn = ("iam_principal", "arn:aws:iam::111122223333:user/etl")
    ref = TargetRef(target.kind, target.mount, target.name, "internal", "d", named_as=(arn,))
    policy = Policy(targets=(ref,), playbooks=load(builtin()))
    line = Line(desk, policy, "cloudtrail")
    action, now = desk.queue(target), time.time()
    lease = desk.store.claim("worker-1", now, 30)
    desk.store.intend(lease, 0, "escrow", now, {})
    desk.store.complete(lease, 0, now, {"state": {"old_id": "AKIAOLDKEY"}}, (), "kept")
    proof = Proof("A", action, "", ref, "contain", 0, "d", now, now, (REFUSED,))
    finish_action(desk.database, lease, now, Ending("succeeded", "proof", now, proof), policy)
    line.hear()

    def lines(*times: float) -> list[bytes]:
        calls = [key_call(at, "AKIAOLDKEY") for at in times]
        return [b'{"Records":[' + b",".join(calls) + b"]}"] if wrapped else calls

    assert [f for f in await line.take(lines(now - 500, now + 30)) if f.rule_id == RULE_ID] == []
    found = [f for f in await line.take(lines(now + 61, now + 3600)) if f.rule_id == RULE_ID]
    assert [f.level for f in found] == ["critical", "critical"]
    report = line.ingest(found)
    assert (len(report.opened), report.planned) == (1, [])
    assert line.ingest(found).repeated == 2


class Audit:
    """The vault's audit file, read line by line."""

    def __init__(self, vault: OpenBaoPart) -> None:
        self._file = vault.audit_file
        self._seen = len(self.every())

    def every(self) -> list[bytes]:
        return self._file.read_bytes().splitlines()

    def new(self) -> list[bytes]:
        lines = self.every()
        fresh, self._seen = lines[self._seen :], len(lines)
        return fresh
