"""Campaigns: an incident about one actor that holds what it did, beside the incidents of each part.

The parts stay as they are. A campaign's id comes from its key (site, actor) and its first finding; a finding
is held by one campaign for ever, so a replay opens none twice. What a closed campaign holds opens no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select, update

from connectors.store import paging, timeline
from connectors.store.aliases import owners_at
from connectors.store.canonical import storable
from connectors.store.risk_gathering import Known, actor_of, gather
from connectors.store.schema import OPEN_STATUSES, campaign_findings, incidents
from detectors.event import Alias
from detectors.finding import Finding
from detectors.level import Level, parse_level, rank
from playbooks.incident import incident_id, incident_key
from playbooks.policy import Policy
from playbooks.risk import MAX_FINDINGS, Contribution, campaign, campaign_level, tactics_met
from playbooks.risk_actor import root as root_of
from playbooks.signals import Node

PLAYBOOK: Final = "campaign"
MAX_ALIASES: Final = 100
"""New aliases of one batch whose actors are weighed at once; the others with their next finding."""


@dataclass(slots=True)
class Weighed:
    """What weighing a batch did: campaigns opened, incidents changed, pages queued."""

    opened: list[str] = field(default_factory=list[str])
    touched: set[str] = field(default_factory=set[str])
    pages: int = 0


def weigh(
    connection: Connection, kept: Sequence[Finding], learned: Sequence[Alias], now: float, policy: Policy
) -> Weighed:
    """Weigh everybody whom new findings or new aliases concern; `now` is seconds (UTC)."""
    result = Weighed()
    if not policy.risk.enabled:
        return result
    half = policy.risk.window_s / 2
    actors: dict[tuple[Node, int], None] = {}
    known: Known = {}
    for finding in kept:
        who = actor_of(connection, finding.entities, finding.event_time, policy, known)
        if who is not None:
            actors.setdefault((who, int(finding.event_time // half)))
    for alias in learned[:MAX_ALIASES]:
        owners = owners_at(connection, alias.valid_from, policy.times.skew_s, known)
        for node in (alias.a, alias.b):
            actors.setdefault((root_of(node, owners), int(alias.valid_from // half)))
    for who, place in actors:
        since, until = place * half - 2 * half, (place + 1) * half + 2 * half
        _hold(connection, who, gather(connection, who, since, until, policy, known), now, policy, result)
    return result


def _hold(
    connection: Connection,
    who: Node,
    found: Sequence[Contribution],
    now: float,
    policy: Policy,
    result: Weighed,
) -> None:
    held = _held(connection, found)
    free = [one for one in found if one.finding_id not in held or held[one.finding_id]["open"]]
    key = incident_key(policy.site, PLAYBOOK, who)
    open_ids = {row["number"]: row["campaign_id"] for row in held.values() if row["open"]}
    existing = _open_by_key(connection, key) or (open_ids[min(open_ids)] if open_ids else None)
    parts = _near(connection, existing, free, policy.risk.window_s) or campaign(free, policy.risk)
    fresh = [one for one in parts if one.finding_id not in held]
    if not fresh:
        return
    level = campaign_level(fresh)
    occasion = ""
    if existing is None:
        existing = _open(connection, key, who, parts, level, now, policy)
        result.opened.append(existing)
        occasion = "opened"
    elif _widen(connection, existing, fresh, level, now, policy):
        occasion = f"level:{level}"
    _keep(connection, existing, fresh, now)
    result.touched |= {existing, *(one.incident_id for one in fresh if one.incident_id)}
    if occasion:
        title = str(_row(connection, existing)["title"])
        result.pages += paging.page(connection, policy, existing, occasion, title, now)


def _held(connection: Connection, found: Sequence[Contribution]) -> dict[str, Any]:
    """Return finding id -> its campaign, its number and whether it is open, for those that one holds."""
    query = select(
        campaign_findings.c.finding_id,
        campaign_findings.c.campaign_id,
        incidents.c.number,
        incidents.c.status.in_(OPEN_STATUSES).label("open"),
    ).join(incidents, incidents.c.id == campaign_findings.c.campaign_id)
    ids = [one.finding_id for one in found]
    rows = connection.execute(query.where(campaign_findings.c.finding_id.in_(ids))).mappings()
    return {row["finding_id"]: row for row in rows}


def _open_by_key(connection: Connection, key: str) -> str | None:
    query = select(incidents.c.id).where(incidents.c.key == key, incidents.c.status.in_(OPEN_STATUSES))
    return connection.execute(query).scalar()


def _open(
    connection: Connection,
    key: str,
    who: Node,
    parts: Sequence[Contribution],
    level: Level,
    now: float,
    policy: Policy,
) -> str:
    identifier = incident_id(key, parts[0].finding_id)
    number = connection.execute(select(func.coalesce(func.max(incidents.c.number), 0))).scalar_one() + 1
    playbook = policy.playbooks.get(PLAYBOOK)
    title = f"One actor, {len(tactics_met(parts))} tactics: {who[1]}"
    stale = now - parts[-1].event_time > policy.times.freshness_s
    connection.execute(
        insert(incidents).values(
            id=identifier,
            number=number,
            key=key,
            status="new",
            level=level,
            title=storable(title, 300),
            playbook_id=PLAYBOOK,
            playbook_version=playbook.version if playbook else "0.0.0",
            primary_type=who[0],
            primary_id=who[1],
            first_event_at=parts[0].event_time,
            last_event_at=parts[-1].event_time,
            detected_at=now,
            opened_at=now,
            stale=stale,
            version=0,
            updated_seq=0,
        )
    )
    timeline.append(connection, identifier, now, "opened", f"opened: {title}", {"key": key, "stale": stale})
    return identifier


def _near(
    connection: Connection, campaign_id: str | None, free: Sequence[Contribution], window_s: float
) -> Sequence[Contribution]:
    """Return what lies within a window of an open campaign."""
    if campaign_id is None:
        return ()
    row = _row(connection, campaign_id)
    begin, end = row["first_event_at"] - window_s, row["last_event_at"] + window_s
    return [one for one in free if begin <= one.event_time <= end]


def _widen(
    connection: Connection,
    campaign_id: str,
    fresh: Sequence[Contribution],
    level: Level,
    now: float,
    policy: Policy,
) -> bool:
    """Widen an open campaign; return whether its level rose or it is no longer stale."""
    row = _row(connection, campaign_id)
    before = parse_level(row["level"])
    rose = rank(level) > rank(before)
    times = [one.event_time for one in fresh]
    stale = row["stale"] and now - max(times) > policy.times.freshness_s
    connection.execute(
        update(incidents)
        .where(incidents.c.id == campaign_id)
        .values(
            level=level if rose else before,
            first_event_at=min(row["first_event_at"], *times),
            last_event_at=max(row["last_event_at"], *times),
            stale=stale,
        )
    )
    if rose:
        timeline.append(connection, campaign_id, now, "level", f"{before} rises to {level}")
    return rose or (row["stale"] and not stale)


def _keep(connection: Connection, campaign_id: str, fresh: Sequence[Contribution], now: float) -> None:
    query = select(func.count()).where(campaign_findings.c.campaign_id == campaign_id)
    room = max(0, MAX_FINDINGS - connection.execute(query).scalar_one())
    for one in fresh[:room]:
        tactics = " ".join(sorted(one.tactics))
        values = {"finding_id": one.finding_id, "campaign_id": campaign_id, "tactics": tactics}
        connection.execute(insert(campaign_findings).values(values))
        data = {"finding_id": one.finding_id, "rule_id": one.rule_id, "incident_id": one.incident_id or ""}
        text = f"holds {one.level} {one.rule_id}" + (f" ({tactics})" if tactics else "")
        timeline.append(connection, campaign_id, now, "part", text, data)


def _row(connection: Connection, campaign_id: str) -> Any:
    return connection.execute(select(incidents).where(incidents.c.id == campaign_id)).mappings().one()
