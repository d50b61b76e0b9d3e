"""A seeded database and a site over it; every outside thing (clock, randomness) is in the test's hand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import insert, select, update
from starlette.types import ASGIApp

from config.settings import Settings
from config.web import Approver, Web
from connectors.store import schema, timeline
from connectors.store.database import Database, upgrade
from daemon.runtime import Health
from daemon.web.application import create
from daemon.web.audit_budget import AuditBudget
from daemon.web.metrics import WebMetrics
from daemon.web.site import Site
from detectors.identifier import derive
from playbooks.incident import plan_digest
from playbooks.library import builtin, load
from playbooks.proof import Check, Proof
from playbooks.target import TargetRef

NOW = 1_795_400_000.0
ORIGIN = "http://127.0.0.1:8480"
TOKENS = {
    name: f"{name}-token-0123456789abcdef0123456789abcdef" for name in ("alice", "bob", "carol", "ines")
}
MALLORY = "mallory@terraminer.example"
OWN = {"origin": ORIGIN, "sec-fetch-site": "same-origin"}


def approver(name: str, *, classes: tuple[str, ...] = (), aliases: tuple[str, ...] = ()) -> Approver:
    values: dict[str, Any] = {"name": name, "token_sha256": hashlib.sha256(TOKENS[name].encode()).hexdigest()}
    return Approver(**values, aliases=aliases, **({"classes": classes} if classes else {}))


@dataclass
class World:
    """One database, one site, one clock."""

    folder: Path
    url: str = ""
    now: float = NOW
    approvers: tuple[Approver, ...] = (
        approver("alice"),
        approver("bob"),
        approver("carol", aliases=("c.smith",)),
        approver("ines", classes=("public", "internal")),
    )
    web: dict[str, Any] = field(default_factory=dict)
    open_reading: bool = True
    counter: int = 0

    def __post_init__(self) -> None:
        self.url = self.url or f"sqlite:///{self.folder / 'davylamp.db'}"
        upgrade(self.url)
        self.writer = Database(self.url)
        self.database = Database(self.url, role="web")
        self.registry = CollectorRegistry()
        self.health = Health(lambda: self.now, self.registry)

    def close(self) -> None:
        self.writer.close()
        self.database.close()

    @property
    def site(self) -> Site:
        settings = Settings(web=Web(approvers=self.approvers, **self.web))
        return Site(
            database=self.database,
            settings=settings,
            playbooks=load(builtin()),
            clock=lambda: self.now,
            entropy=self.entropy,
            health=self.health,
            metrics=WebMetrics(CollectorRegistry()),
            origin=self.web.get("base_url", ORIGIN),
            open_reading=self.open_reading,
            budget=AuditBudget(),
        )

    def entropy(self, size: int) -> bytes:
        self.counter += 1
        return hashlib.sha512(str(self.counter).encode()).digest()[:size]

    def app(self) -> ASGIApp:
        return create(self.site)

    def insert(self, table: Any, **values: Any) -> None:
        with self.writer.transaction() as connection:
            connection.execute(insert(table).values(**values))

    def set_action(self, action_id: str, **values: Any) -> None:
        with self.writer.transaction() as connection:
            connection.execute(
                update(schema.actions).where(schema.actions.c.id == action_id).values(**values)
            )

    def rows(self, table: Any) -> list[dict[str, Any]]:
        with self.writer.reading() as connection:
            return [dict(row) for row in connection.execute(select(table)).mappings()]

    def refusals(self) -> list[tuple[str, str, str]]:
        """Every refusal that was audited: (actor, action, guard)."""
        found = [row for row in self.rows(schema.audit) if row["outcome"] == "refused"]
        return [(row["actor"], row["action"], json.loads(row["detail"])["guard"]) for row in found]

    def incident(self, number: int = 1, **values: Any) -> str:
        incident_id = derive("test-incident", str(number))
        row: dict[str, Any] = {
            "id": incident_id,
            "number": number,
            "key": f"default/leaked-credential/{number}/v1",
            "status": "new",
            "level": "critical",
            "title": "A database password was read by a pod that never reads it",
            "playbook_id": "leaked-credential",
            "playbook_version": "1.0.0",
            "primary_type": "credential",
            "primary_id": "database:database/analytics",
            "first_event_at": NOW - 252,
            "last_event_at": NOW - 190,
            "detected_at": NOW - 250.6,
            "opened_at": NOW - 250.2,
            "stale": False,
            "version": 1,
            "updated_seq": number,
        }
        self.insert(schema.incidents, **(row | values))
        return incident_id

    def finding(
        self, incident_id: str, name: str, at: float, entities: list[tuple[str, str, str]], **values: Any
    ) -> None:
        finding_id = derive("test-finding", incident_id, name)
        document: dict[str, Any] = {
            "schema": "davylamp.finding/1",
            "finding_id": finding_id,
            "rule_id": "vault-static-read-first-seen",
            "title": "First read of a credential by an identity",
            "level": "high",
            "source": "vault_audit",
            "event_time": f"2026-11-23T02:0{len(name) % 10}:00.000Z",
            "explain": "etl-runner read database/static-creds/analytics; in 8 days only database/etl.",
            "attack": ["attack.t1552.007"],
        }
        document |= values
        self.insert(
            schema.findings,
            finding_id=finding_id,
            rule_id=document["rule_id"],
            source=document["source"],
            level=document["level"],
            status="final",
            event_time=at,
            received_at=at + 1,
            incident_id=incident_id,
            disposition="opened",
            document=json.dumps(document),
        )
        for kind, entity_id, role in entities:
            self.insert(
                schema.finding_entities, finding_id=finding_id, type=kind, entity_id=entity_id, role=role
            )

    def action(self, incident_id: str, name: str = "customer-records", **values: Any) -> str:
        action_id = derive("test-action", incident_id, name)
        plan = {
            "verb": "rotate.credential",
            "target": f"database_static_role:database/{name}",
            "mode": "contain",
            "steps": [
                {"name": "escrow", "effect": None, "irreversible": False},
                {"name": "negative_control", "effect": None, "irreversible": False},
                {"name": "rotate", "effect": "the vault sets a new random password", "irreversible": True},
                {"name": "new_accepted", "effect": None, "irreversible": False},
                {"name": "sessions_gone", "effect": "ends sessions that began before", "irreversible": True},
                {"name": "old_refused", "effect": None, "irreversible": False},
                {"name": "prove", "effect": None, "irreversible": False},
            ],
        }
        row: dict[str, Any] = {
            "id": action_id,
            "incident_id": incident_id,
            "verb": "rotate.credential",
            "target_key": f"database_static_role:database/{name}",
            "target_kind": "database_static_role",
            "mount": "database",
            "name": name,
            "classification": "restricted",
            "target_owner": "platform-data",
            "mode": "contain",
            "drill": False,
            "playbook_id": "leaked-credential",
            "playbook_version": "1.0.0",
            "epoch": 0,
            "plan": json.dumps(plan),
            "digest": plan_digest(plan),
            "needed": 2,
            "auto": False,
            "requester": "davylamp",
            "trigger_time": NOW - 240,
            "state": "proposed",
            "guards": json.dumps(
                [
                    {"name": "kill_switch", "passed": True, "reason": "the kill switch is off"},
                    {"name": "approvals", "passed": False, "reason": "restricted needs 2 approvals, 0 given"},
                    {"name": "freshness", "passed": True, "reason": "the event is 4 min old; at most 24 h"},
                ]
            ),
            "created_at": NOW - 240,
            "expires_at": NOW + 3360,
        }
        self.insert(schema.actions, **(row | values))
        return action_id

    def proof(
        self, action_id: str, incident_id: str, name: str = "analytics", grade: str | None = "A"
    ) -> None:
        at = NOW - 245
        proof = Proof(
            grade=grade,  # type: ignore[arg-type]
            action_id=action_id,
            incident_id=incident_id,
            target=TargetRef("database_static_role", "database", name, "internal", "platform-data"),
            mode="contain",
            epoch=1,
            plan_digest="0" * 64,
            rotated_at=at,
            proven_at=at + 3.9,
            checks=(
                Check("negative_control", True, 1, at - 0.2, at - 0.2, "postgresql", "28P01"),
                Check("new_accepted", True, 1, at + 0.3, at + 0.3, "postgresql", "00000"),
                Check("old_refused", grade is not None, 4, at + 0.4, at + 3.8, "postgresql", "28P01"),
                Check("sessions_gone", True, 2, at + 0.3, at + 0.5, "davylamp_observer", "0"),
            ),
        )
        self.insert(
            schema.proofs,
            action_id=action_id,
            target_key=proof.target.key,
            epoch=1,
            grade=grade,
            proven_at=proof.proven_at,
            document=json.dumps(proof.to_json()),
        )

    def line(self, incident_id: str, at: float, kind: str, text: str) -> None:
        with self.writer.transaction() as connection:
            timeline.append(connection, incident_id, at, kind, text)

    def breach(self) -> tuple[str, str]:
        """One incident as the demo leaves it: analytics rotated and proven, customer-records proposed."""
        incident_id = self.incident()
        pod = ("pod", "terraminer-data/etl-runner-7d9c", "actor")
        read = [
            ("credential", "database:database/analytics", "target"),
            ("vault_entity", "6f0c5b1e-etl-runner", "actor"),
        ]
        self.finding(incident_id, "read", NOW - 252, [*read, ("address", "10.42.3.17", "source")])
        self.finding(
            incident_id,
            "exec",
            NOW - 264,
            [
                pod,
                ("k8s_user", "mallory@terraminer.example", "actor"),
                ("address", "198.51.100.23", "source"),
            ],
            rule_id="k8s-pod-exec",
            title="Exec into a pod of a data namespace",
            level="high",
            source="kubernetes_audit",
            explain=f"{MALLORY} opened exec into terraminer-data/etl-runner-7d9c from 198.51.100.23.",
        )
        rotated = self.action(
            incident_id,
            "analytics",
            classification="internal",
            needed=0,
            auto=True,
            state="succeeded",
            queued_at=NOW - 249,
            started_at=NOW - 248.8,
            finished_at=NOW - 241,
            expires_at=None,
        )
        self.proof(rotated, incident_id)
        self.insert(
            schema.drills,
            action_id=rotated,
            target_key="database_static_role:database/analytics",
            at=NOW - 900,
            passed=True,
            grade="A",
        )
        self.insert(
            schema.deliveries,
            notification_id=derive("test-notification", incident_id),
            incident_id=incident_id,
            notifier="webhook",
            message="{}",
            state="delivered",
            attempts=1,
            next_at=NOW,
            delivered_at=NOW - 249.5,
        )
        for at, kind, text in (
            (NOW - 250.2, "opened", "opened from vault-static-read-first-seen"),
            (NOW - 249.0, "queued", "rotate.credential database/analytics: every guard passed"),
            (NOW - 244.5, "contained", "no session from before the rotation is left"),
            (NOW - 241.0, "proof", "the old credential is proven dead"),
        ):
            self.line(incident_id, at, kind, text)
        return incident_id, self.action(incident_id)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[Callable[[str], World]]:
    """Return a maker of worlds over a database that the test started."""
    opened: list[World] = []

    def make(url: str) -> World:
        opened.append(World(tmp_path, url))
        return opened[-1]

    yield make
    for made in opened:
        made.close()


Client = Callable[..., httpx.AsyncClient]


@pytest.fixture
async def client(world: World) -> AsyncIterator[Client]:
    """Return a maker of clients; each has its own cookies and talks to the world's site without a network."""
    opened: list[httpx.AsyncClient] = []

    def make(**options: Any) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=world.app(), raise_app_exceptions=True)
        made = httpx.AsyncClient(transport=transport, base_url=ORIGIN, **options)
        opened.append(made)
        return made

    yield make
    for made in opened:
        await made.aclose()


@pytest.fixture
def own() -> dict[str, str]:
    """The headers that a browser sends with a form of our own page."""
    return dict(OWN)


@pytest.fixture
def tokens() -> dict[str, str]:
    return dict(TOKENS)


@pytest.fixture
def sign_in(client: Client) -> Callable[[str], Awaitable[httpx.AsyncClient]]:
    """Return a function that signs a person in and returns their browser."""

    async def signed_in(name: str) -> httpx.AsyncClient:
        made = client()
        answer = await made.post("/session", data={"token": TOKENS[name]}, headers=OWN)
        assert answer.status_code == 303, answer.text
        return made

    return signed_in
