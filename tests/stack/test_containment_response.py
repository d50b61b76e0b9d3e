"""A containment through respond on the real API server: proposed, approved, done, undone at its time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cluster_response import contain_child
from cluster_response.scene import Scene
from parts.kubernetes import KubernetesPart
from pydantic import SecretStr
from sqlalchemy import select, update

from config.cluster import Cluster
from config.containment import Containment, ContainmentTarget
from config.denial import Denied
from config.response import Response
from config.secret import Secret
from config.settings import Settings
from config.web import Approver, Web
from connectors.containment.catalogue import needs_of
from connectors.containment.network_quarantine import NetworkQuarantine
from connectors.containment.tools import Tools
from connectors.store import approvals, releasing, switches
from connectors.store.database import Database, upgrade
from connectors.store.ingest import ingest
from connectors.store.promotion import promote
from connectors.store.schema import actions, incidents, proofs, timeline
from daemon.roles.respond.policy import policy_of
from detectors.event import Entity
from detectors.finding import Finding
from detectors.identifier import derive
from playbooks.containment import CONTAIN, RELEASE
from playbooks.target import TargetRef

DURATION_S = 600.0
CHILD = Path(contain_child.__file__)


@dataclass
class Respond:
    """The database of record, the settings, and what a test asks of them."""

    scene: Scene
    settings: Settings
    database: Database
    url: str
    private: Path

    def find(self, event: str = "e1", at: float | None = None) -> str:
        """Take in a finding about the workload `web`; return its incident."""
        now = time.time()
        made = Finding(
            rule_id="kubernetes-privileged-pod",
            title="a workload reaches for its node",
            level="high",
            base_level="high",
            status="final",
            source="kubernetes_audit",
            event_id=event,
            event_ids=(event,),
            event_time=at or now - 5,
            first_time=now - 5,
            last_time=now - 5,
            count=1,
            entities=(Entity("workload", f"{self.scene.space}/web", "target"),),
            attack=("T1611",),
            explain="somebody did something",
            finding_id=derive("finding", "test", event),
            labels={"playbook": "workload-escape"},
        )
        offsets = {("davylamp.findings", 0): 1}
        ingest(self.database, [("davylamp.findings", 0, 0, made)], offsets, now, self.policy)
        promote(self.database, now, self.policy)
        with self.database.reading() as connection:
            return str(connection.execute(select(incidents.c.id)).scalar_one())

    @property
    def policy(self) -> Any:
        return policy_of(self.settings)

    def action(self, verb: str) -> Any:
        """Return the newest action of a verb."""
        query = select(actions).where(actions.c.verb == verb).order_by(actions.c.created_at.desc()).limit(1)
        with self.database.reading() as connection:
            return connection.execute(query).mappings().one()

    def approve(self) -> None:
        """Approve the containment's plan as alice, and let respond judge it."""
        row = self.action(CONTAIN)
        with self.database.transaction() as connection:
            approvals.decide(connection, row["id"], "alice", "approve", row["digest"], time.time(), "api")
        promote(self.database, time.time(), self.policy)

    def work(self, ahead_s: float = 0.0) -> None:
        """Work until nothing is due."""
        tools = needs_of(self.settings)
        worker = contain_child.worker(self.settings, tools, self.database, ahead_s=ahead_s)
        give_up = time.monotonic() + 20
        while worker.run_once() and time.monotonic() < give_up:
            time.sleep(0.02)
        tools.kubernetes.close()

    def killed(self, step: str, boundary: str, ahead_s: float = 0.0) -> None:
        """Let another process work and die there; then its lease runs out."""
        command = [sys.executable, str(CHILD), str(self.private), self.url, step, boundary, str(ahead_s)]
        there = os.pathsep.join([str(CHILD.parents[3]), str(CHILD.parents[1])])
        ended = subprocess.run(command, timeout=30, check=False, env={**os.environ, "PYTHONPATH": there})
        assert ended.returncode == -signal.SIGKILL
        with self.database.transaction() as connection:
            connection.execute(
                update(actions).where(actions.c.lease_owner == "doomed").values(lease_until=0.0)
            )

    def policies(self) -> list[Any]:
        return self.scene.objects("networkpolicies")

    def told(self, incident: str) -> list[str]:
        """Return the kinds of the incident's timeline rows."""
        with self.database.reading() as connection:
            found = select(timeline.c.kind).where(timeline.c.incident_id == incident)
            return list(connection.execute(found.order_by(timeline.c.seq)).scalars())


def revealed(value: Any) -> Any:
    """Return settings as plain JSON with their secrets, for the child's private file."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, dict):
        return {key: revealed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [revealed(item) for item in value]
    return str(value) if isinstance(value, Path) else value


@pytest.fixture
def respond(kubernetes: KubernetesPart, tmp_path: Path) -> Iterator[Respond]:
    """Respond's parts with a token that has exactly the declared rights."""
    scene = Scene.made(kubernetes, "respond")
    scene.deployment("web", {"app": "web"})
    ref = TargetRef("network_quarantine", scene.space, "deployment/web", "internal", "platform")
    token = scene.caller(NetworkQuarantine(Tools(kubernetes=None)).rights(ref))  # type: ignore[arg-type]
    cluster = Cluster(
        address=kubernetes.url, token=Secret(value=SecretStr(token)), ca_file=kubernetes.ca_file, timeout_s=10
    )
    target = ContainmentTarget(
        mount=scene.space, name="deployment", classification="internal", owner="platform"
    )
    url = f"sqlite:///{tmp_path}/davylamp.db"
    settings = Settings(
        response=Response(
            mode="auto",
            containment=Containment(targets=(target,), cluster=cluster, duration_s=DURATION_S),
            deny=(Denied(name="break-glass", entities=("namespace:elsewhere",)),),
        ),
        web=Web(approvers=(Approver(name="alice", token_sha256="0" * 64),)),
    )
    private = tmp_path / "settings.json"
    private.touch(mode=0o600)
    private.write_text(json.dumps(revealed(settings.model_dump())), encoding="utf-8")
    upgrade(url)
    database = Database(url)
    yield Respond(scene, settings, database, url, private)
    database.close()
    scene.close()


@pytest.mark.claim(
    "a containment is only proposed, stands once approved though its worker is killed after the call, and is "
    "undone at its time though that worker is killed too"
)
def test_proposed_approved_quarantined_and_undone(respond: Respond) -> None:
    incident = respond.find()
    row = respond.action(CONTAIN)
    assert (row["state"], row["needed"]) == ("proposed", 1)
    respond.work()
    assert respond.policies() == []
    respond.approve()
    assert respond.action(CONTAIN)["state"] == "queued"

    respond.killed("contain", "after_call")
    assert len(respond.policies()) == 1
    respond.work()
    row = respond.action(CONTAIN)
    assert row["state"] == "succeeded", row["reason"]
    (found,) = respond.policies()
    assert found["metadata"]["labels"]["davylamp.io/action"] == row["id"]
    waiting = respond.action(RELEASE)
    assert waiting["state"] == "queued"
    assert DURATION_S - 60 < waiting["queued_at"] - time.time() <= DURATION_S
    with respond.database.reading() as connection:
        assert connection.execute(select(proofs.c.grade)).scalars().all() == ["C"]
        assert connection.execute(select(incidents.c.status)).scalar_one() == "new"

    respond.work(ahead_s=DURATION_S - 60)
    assert len(respond.policies()) == 1
    respond.killed("release", "after_call", DURATION_S)
    assert respond.policies() == []
    respond.work(ahead_s=DURATION_S)
    assert respond.action(RELEASE)["state"] == "succeeded", respond.action(RELEASE)["reason"]
    assert respond.told(incident).count("taken_over") == 2


@pytest.mark.claim("while a containment stands no second one is proposed, and one asked for early ends early")
def test_one_at_a_time_and_released_early(respond: Respond) -> None:
    incident = respond.find()
    respond.approve()
    respond.work()
    respond.find("e2", time.time() + 1)
    with respond.database.reading() as connection:
        made = connection.execute(select(actions.c.verb).order_by(actions.c.verb)).scalars().all()
    assert made == [CONTAIN, RELEASE]
    assert "contained_already" in respond.told(incident)
    with respond.database.transaction() as connection:
        switches.engage(connection, "all", "alice", time.time())
    releasing.release_now(respond.database, respond.action(CONTAIN)["id"], "alice", time.time())
    respond.work()
    assert respond.policies() == []
    assert respond.action(RELEASE)["state"] == "succeeded"


@pytest.mark.claim(
    "a containment that is not proven, for another policy lets traffic through, ends all the same"
)
def test_what_is_not_proven_is_released_too(respond: Respond) -> None:
    respond.scene.policy("open", {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]})
    respond.find()
    respond.approve()
    respond.work()
    row = respond.action(CONTAIN)
    assert row["state"] == "needs_human"
    assert "still allows egress" in row["reason"]
    assert len(respond.policies()) == 2
    respond.work(ahead_s=DURATION_S + 1)
    assert [one["metadata"]["name"] for one in respond.policies()] == ["open"]


@pytest.mark.claim("a release that the API server refuses is asked for again later, and people are told")
def test_a_refused_release_comes_again(respond: Respond) -> None:
    respond.find()
    respond.approve()
    respond.work()
    (found,) = respond.policies()
    whole = respond.settings
    cluster = whole.response.containment.cluster.model_copy(
        update={"token": Secret(value=SecretStr(respond.scene.caller([])))}
    )
    cut = whole.response.containment.model_copy(update={"cluster": cluster})
    respond.settings = whole.model_copy(
        update={"response": whole.response.model_copy(update={"containment": cut})}
    )
    first = respond.action(RELEASE)["id"]
    respond.work(ahead_s=DURATION_S + 1)
    again = respond.action(RELEASE)
    assert again["id"] != first
    assert again["state"] == "queued"
    assert [one["metadata"]["uid"] for one in respond.policies()] == [found["metadata"]["uid"]]
    respond.settings = whole
    respond.work(ahead_s=DURATION_S + 1000)
    assert respond.policies() == []
