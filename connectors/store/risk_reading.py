"""A campaign for people: which tactics, the risk, the findings it holds and the incidents they are in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, select

from connectors.store.schema import campaign_findings, findings, incidents
from detectors.level import parse_level
from playbooks.risk import HALF_LIFE_S, Contribution, score, tactics_met

MAX_PARTS: Final = 100


@dataclass(frozen=True, slots=True)
class Link:
    """An incident that is named on another's page."""

    id: str
    number: int
    level: str
    status: str
    title: str


@dataclass(frozen=True, slots=True)
class Step:
    """One finding that a campaign holds; `tactics` are those that its tags may mean."""

    at: float
    level: str
    rule_id: str
    title: str
    explain: str
    tactics: Sequence[str]
    incident_id: str | None


@dataclass(frozen=True, slots=True)
class Campaign:
    """What a campaign is made of. `risk` is that at the time of its last finding, by the given half-life."""

    tactics: Sequence[str]
    risk: float
    steps: Sequence[Step]
    parts: Sequence[Link]


def campaign_of(
    connection: Connection, campaign_id: str, *, half_life_s: float = HALF_LIFE_S
) -> Campaign | None:
    """Return what the campaign holds (its 100 earliest findings), None when the incident is none."""
    rows = _held(connection, campaign_id)
    if not rows:
        return None
    counted = [_contribution(row) for row in rows]
    ids = sorted({row["incident_id"] for row in rows if row["incident_id"]})
    last = max(one.event_time for one in counted)
    return Campaign(
        tactics=tactics_met(counted),
        risk=score(counted, last, half_life_s),
        steps=[_step(row) for row in rows[:MAX_PARTS]],
        parts=_links(connection, ids[:MAX_PARTS]),
    )


def campaigns_holding(connection: Connection, incident_id: str) -> Sequence[Link]:
    """Return the campaigns that hold a finding of this incident."""
    query = (
        select(campaign_findings.c.campaign_id)
        .join(findings, findings.c.finding_id == campaign_findings.c.finding_id)
        .where(findings.c.incident_id == incident_id)
        .distinct()
        .limit(MAX_PARTS)
    )
    return _links(connection, sorted(connection.scalars(query)))


def _held(connection: Connection, campaign_id: str) -> Sequence[Any]:
    query = (
        select(
            findings.c.finding_id,
            findings.c.rule_id,
            findings.c.level,
            findings.c.event_time,
            findings.c.incident_id,
            findings.c.document,
            campaign_findings.c.tactics,
        )
        .join(campaign_findings, campaign_findings.c.finding_id == findings.c.finding_id)
        .where(campaign_findings.c.campaign_id == campaign_id)
        .order_by(findings.c.event_time, findings.c.finding_id)
    )
    return connection.execute(query).mappings().all()


def _contribution(row: Any) -> Contribution:
    tactics = frozenset[str](row["tactics"].split())
    level = parse_level(row["level"])
    return Contribution(row["finding_id"], row["rule_id"], level, row["event_time"], tactics)


def _step(row: Any) -> Step:
    document = json.loads(row["document"])
    return Step(
        row["event_time"],
        row["level"],
        row["rule_id"],
        str(document.get("title", "")),
        str(document.get("explain", "")),
        row["tactics"].split(),
        row["incident_id"],
    )


def _links(connection: Connection, ids: Sequence[str]) -> list[Link]:
    table = incidents
    columns = (table.c.id, table.c.number, table.c.level, table.c.status, table.c.title)
    rows = connection.execute(select(*columns).where(table.c.id.in_(ids)).order_by(table.c.number))
    return [Link(*row) for row in rows]
