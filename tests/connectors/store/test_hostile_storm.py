"""10,000 findings that an attacker provokes: few actions, few pages, every finding accounted for."""

from __future__ import annotations

import json
from dataclasses import replace

from sqlalchemy import func, select

from connectors.store.ingest import ingest
from connectors.store.promotion import promote
from connectors.store.schema import actions, deliveries, findings, incidents
from playbooks.policy import Policy
from playbooks.target import TargetRef

NOW = 1_780_000_000.0
STORM = 10_000
STORM_ON_POSTGRESQL = 1500
BATCH = 1000


def targets(count: int) -> tuple[TargetRef, ...]:
    return tuple(
        TargetRef("database_static_role", "database", f"role-{n}", "internal", f"owner-{n % 40}")
        for n in range(count)
    )


def hostile(make_finding, state_alias, number: int, actor: int):
    """An exec and a read that meet, about one of many targets, by one of many actors."""
    pod, address = f"ns/pod-{number}", f"10.{number // 65536}.{number // 256 % 256}.{number % 256}"
    role = number % 60
    return [
        state_alias(pod, address),
        make_finding(
            "exec",
            ("pod", pod, "target"),
            ("k8s_user", f"user-{actor}", "actor"),
            source="kubernetes_audit",
            playbook="pod-exec",
            event=f"exec-{number}",
        ),
        make_finding(
            "read",
            ("credential", f"database:database/role-{role}", "target"),
            ("vault_entity", f"entity-{actor}", "actor"),
            ("address", address, "source"),
            event=f"read-{number}",
        ),
    ]


def test_a_storm_stays_under_every_cap_and_folds_into_a_storm_page(
    database, policy: Policy, make_finding, state_alias, drilled
):
    storm = STORM if database.dialect == "sqlite" else STORM_ON_POSTGRESQL
    stormy = replace(policy, targets=targets(60))
    for target in stormy.targets:
        drilled(target, using=stormy)
    made = [f for n in range(storm // 3 + 1) for f in hostile(make_finding, state_alias, n, n % 50)][:storm]
    accounted = 0
    for start in range(0, storm, BATCH):
        rows = [("davylamp.findings", 0, start + i, f) for i, f in enumerate(made[start : start + BATCH])]
        report = ingest(database, rows, {("davylamp.findings", 0): start + BATCH}, NOW, stormy)
        accounted += report.aliases + report.known_aliases + report.joined + report.context
        promote(database, NOW + start / BATCH, stormy)
    assert accounted == storm
    with database.reading() as connection:
        auto = connection.execute(select(actions).where(actions.c.auto)).mappings().all()
        proposed = connection.execute(
            select(func.count()).where(actions.c.state == "proposed", actions.c.drill.is_(False))
        ).scalar_one()
        pages = [json.loads(text) for text in connection.execute(select(deliveries.c.message)).scalars()]
        kept = connection.execute(select(func.count()).select_from(findings)).scalar_one()
        lost = connection.execute(select(func.count()).where(findings.c.incident_id.is_(None))).scalar_one()
        opened = connection.execute(select(func.count()).select_from(incidents)).scalar_one()
    assert 0 < len(auto) <= stormy.caps.site_hour
    by_owner: dict[str, int] = {}
    by_actor: dict[str, int] = {}
    for row in auto:
        by_owner[row["target_owner"]] = by_owner.get(row["target_owner"], 0) + 1
        for actor in json.loads(row["actors"]):
            by_actor[actor] = by_actor.get(actor, 0) + 1
    assert max(by_owner.values()) <= stormy.caps.per_owner_hour
    assert max(by_actor.values()) <= stormy.caps.per_actor_hour
    assert proposed == 60 - len(auto)
    assert len(pages) <= stormy.max_pages_per_hour + 1
    assert sum(page["occasion"] == "storm" for page in pages) == 1
    assert (kept, lost) == (sum(f.level != "informational" for f in made), 0)
    assert opened == 60 + -(-(storm - 1) // 3)
