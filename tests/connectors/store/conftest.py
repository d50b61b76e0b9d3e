"""Databases of both kinds, made by the migrations, and findings to fill them with."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL, delete, insert, update

from connectors.store.database import Database, upgrade
from connectors.store.ingest import IngestReport, ingest
from connectors.store.promotion import request_drill
from connectors.store.schema import actions, drills, targets
from daemon.demo.parts.postgres import PostgresPart
from detectors.event import Entity
from detectors.finding import Finding
from detectors.identifier import derive
from playbooks.library import builtin, load
from playbooks.policy import ApproverRef, NotifierRule, Policy
from playbooks.target import TargetRef

NOW = 1_780_000_000.0
ANALYTICS = TargetRef("database_static_role", "database", "analytics", "internal", "data-platform")
RECORDS = TargetRef("database_static_role", "database", "customer-records", "restricted", "crm")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("template") / "davylamp.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresPart]:
    """A real PostgreSQL 18 with a migrated database `davylamp_template`."""
    part = PostgresPart(tmp_path_factory.mktemp("postgres"))
    part.start()
    try:
        with psycopg.connect(part.dsn, autocommit=True) as connection:
            connection.execute("CREATE DATABASE davylamp_template")
        upgrade(postgres_url(part, "davylamp_template"))
        yield part
    finally:
        part.stop()
        part.remove()


def postgres_url(part: PostgresPart, dbname: str) -> str:
    """Return SQLAlchemy's URL of a database of the server."""
    given = conninfo_to_dict(part.dsn)
    url = URL.create(
        "postgresql+psycopg",
        username=str(given["user"]),
        password=str(given["password"]),
        host=str(given["host"]),
        port=int(str(given["port"])),
        database=dbname,
    )
    return url.render_as_string(hide_password=False)


_COUNTER = itertools.count()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a fresh, migrated database; each test runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        path = tmp_path / "davylamp.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return f"sqlite:///{path}"
    part: PostgresPart = request.getfixturevalue("postgres_server")
    name = f"davylamp_{next(_COUNTER)}"
    with psycopg.connect(part.dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE davylamp_template".encode())
    return postgres_url(part, name)


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    """The store as respond opens it."""
    opened = Database(store_url)
    yield opened
    opened.close()


@pytest.fixture
def policy() -> Policy:
    """Auto mode, two targets, two approvers, one notifier, the shipped playbooks."""
    return Policy(
        site="test",
        mode="auto",
        targets=(ANALYTICS, RECORDS),
        playbooks=load(builtin()),
        approvers=(ApproverRef("alice"), ApproverRef("bob"), ApproverRef("carol")),
        own_identities=frozenset({("vault_entity", "own-entity")}),
        notifiers=(NotifierRule("webhook", "high"),),
    )


FindingMaker = Callable[..., Finding]


@pytest.fixture
def make_finding() -> FindingMaker:
    """A function that makes a finding; `entities` are (type, id, role), `at` seconds before NOW."""

    def make(
        rule_id: str = "rule-1",
        *entities: tuple[str, str, str],
        level: str = "high",
        source: str = "vault_audit",
        ago: float = 5.0,
        event: str = "",
        playbook: str = "leaked-credential",
        **changes: Any,
    ) -> Finding:
        event_id = event or f"{rule_id}-{ago}-{entities}"
        made = Finding(
            rule_id=rule_id,
            title=f"title of {rule_id}",
            level=level,  # type: ignore[arg-type]
            base_level=level,  # type: ignore[arg-type]
            status="final",
            source=source,
            event_id=event_id,
            event_ids=(event_id,),
            event_time=NOW - ago,
            first_time=NOW - ago,
            last_time=NOW - ago,
            count=1,
            entities=tuple(Entity(*entity) for entity in entities),  # type: ignore[arg-type]
            attack=("T1552.007",),
            explain="somebody did something",
            finding_id=derive("finding", rule_id, event_id),
            labels={"playbook": playbook} if playbook else {},
        )
        return replace(made, **changes)

    return make


@pytest.fixture
def feed(database: Database, policy: Policy) -> Callable[..., IngestReport]:
    """A function that ingests findings as one batch of partition 0."""
    offset = itertools.count()

    def take(*findings: Finding, now: float = NOW, using: Policy | None = None) -> IngestReport:
        rows = [("davylamp.findings", 0, next(offset), finding) for finding in findings]
        following = {("davylamp.findings", 0): rows[-1][2] + 1 if rows else 0}
        return ingest(database, rows, following, now, using or policy)

    return take


@pytest.fixture
def theft(make_finding: FindingMaker) -> dict[str, Finding]:
    """The exec and the vault read that meet over the pod's address, and the alias that says so."""
    exec_ = make_finding(
        "exec",
        ("pod", "terraminer-data/etl", "target"),
        ("k8s_user", "mallory", "actor"),
        ("address", "203.0.113.9", "source"),
        source="kubernetes_audit",
        playbook="pod-exec",
        ago=10,
    )
    read = make_finding(
        "first-read",
        ("credential", "database:database/analytics", "target"),
        ("vault_entity", "entity-etl", "actor"),
        ("address", "10.0.0.7", "source"),
        ago=5,
    )
    return {
        "exec": exec_,
        "read": read,
        "alias": alias_finding(make_finding, "terraminer-data/etl", "10.0.0.7"),
    }


def alias_finding(make: FindingMaker, pod: str, address: str, ago: float = 3600.0) -> Finding:
    """Return the finding by which detect states that a pod has an address."""
    labels = {"a_type": "pod", "a_id": pod, "b_type": "address", "b_id": address, "alias": "true"}
    return make(
        "davylamp-alias", level="informational", ago=ago, event=f"{pod}-{address}-{ago}", labels=labels
    )


@pytest.fixture
def state_alias(make_finding: FindingMaker) -> Callable[..., Finding]:
    """A function (pod, address, ago) that makes an alias finding."""
    return lambda pod, address, ago=3600.0: alias_finding(make_finding, pod, address, ago)


@pytest.fixture
def rotated(database: Database) -> Callable[..., None]:
    """A function that records a rotation of a target, `ago` seconds before NOW."""

    def record(key: str, ago: float) -> None:
        with database.transaction() as connection:
            connection.execute(delete(targets).where(targets.c.key == key))
            connection.execute(insert(targets).values(key=key, epoch=1, rotated_at=NOW - ago))

    return record


@pytest.fixture
def drilled(database: Database) -> Callable[..., None]:
    """A function that records a drill of a target that passed, `ago` seconds before NOW."""

    def record(
        target: TargetRef = ANALYTICS, ago: float = 3600.0, passed: bool = True, using: Policy | None = None
    ) -> None:
        plain = using or Policy(targets=(ANALYTICS, RECORDS), playbooks=load(builtin()))
        identifier = request_drill(database, target, NOW - ago, "operator", plain)
        with database.transaction() as connection:
            connection.execute(update(actions).where(actions.c.id == identifier).values(state="succeeded"))
            row = {"action_id": identifier, "target_key": target.key, "at": NOW - ago, "passed": passed}
            connection.execute(insert(drills).values(row))

    return record
