"""What adds to one actor's risk: its findings near a time, under every name that acts for it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, func, select, tuple_

from connectors.store.aliases import names_behind, owners_at
from connectors.store.schema import finding_entities, findings
from detectors.event import Entity
from detectors.level import parse_level
from playbooks.policy import Policy
from playbooks.risk import Contribution
from playbooks.risk_actor import actor, names_of
from playbooks.risk_tactics import tactics_of
from playbooks.signals import Node

Known: TypeAlias = dict[Node, list[Node]]
"""What names act for, remembered for one transaction."""
MAX_NAMES: Final = 300
MAX_RULES: Final = 64
PER_RULE: Final = 12
"""Findings of one rule that are looked at, the newest: a flood of one rule hides no other."""
_COUNTED: Final = ("incident", "context")


def actor_of(
    connection: Connection,
    entities: Iterable[Entity | tuple[str, str, str]],
    at: float,
    policy: Policy,
    known: Known,
) -> Node | None:
    """Return whose risk a finding of `at` (seconds, UTC) adds to, None when it tells of nobody."""
    names = names_of(entities, policy.own_identities)
    return actor(names, owners_at(connection, at, policy.times.skew_s, known)) if names else None


def gather(
    connection: Connection, who: Node, since: float, until: float, policy: Policy, known: Known
) -> Sequence[Contribution]:
    """Return the findings of actor `who` between two times (seconds, UTC), by time; bounded.

    Empty when there are too few rules among them for a campaign.
    """
    names = sorted(names_behind(connection, who, since, until, MAX_NAMES))
    rows = _rows(connection, names, since, until)
    if len({row["rule_id"] for row in rows}) < policy.risk.tactics:
        return ()
    rows = _his(connection, who, rows, policy, known)
    tags = _tactics(connection, rows)
    return [
        Contribution(
            row["finding_id"],
            row["rule_id"],
            parse_level(row["level"]),
            row["event_time"],
            tags[row["rule_id"]],
            row["incident_id"],
        )
        for row in rows
    ]


def _rows(connection: Connection, names: Sequence[Node], since: float, until: float) -> list[Any]:
    """The newest findings of each rule in which one of the names acted."""
    newest = func.row_number().over(
        partition_by=findings.c.rule_id, order_by=(findings.c.event_time.desc(), findings.c.finding_id)
    )
    acted = (
        select(finding_entities.c.finding_id)
        .where(
            tuple_(finding_entities.c.type, finding_entities.c.entity_id).in_(names),
            finding_entities.c.role.in_(("actor", "source")),
        )
        .distinct()
    )
    ranked = (
        select(
            findings.c.finding_id,
            findings.c.rule_id,
            findings.c.level,
            findings.c.event_time,
            findings.c.incident_id,
            newest.label("place"),
        )
        .where(
            findings.c.finding_id.in_(acted),
            findings.c.event_time.between(since, until),
            findings.c.disposition.in_(_COUNTED),
        )
        .subquery()
    )
    query = (
        select(ranked)
        .where(ranked.c.place <= PER_RULE)
        .order_by(ranked.c.place, ranked.c.event_time, ranked.c.finding_id)
        .limit(MAX_RULES * PER_RULE)
    )
    found = connection.execute(query).mappings().all()
    return sorted(found, key=lambda row: (row["event_time"], row["finding_id"]))


def _his(connection: Connection, who: Node, rows: Sequence[Any], policy: Policy, known: Known) -> list[Any]:
    """Leave out what a name tells of somebody else: an address that was another's, a session used by two."""
    ids = [row["finding_id"] for row in rows]
    table = finding_entities
    query = select(table.c.finding_id, table.c.type, table.c.entity_id, table.c.role)
    entities: dict[str, list[tuple[str, str, str]]] = {}
    for finding, kind, name, role in connection.execute(query.where(table.c.finding_id.in_(ids))):
        entities.setdefault(finding, []).append((kind, name, role))
    told: dict[tuple[frozenset[tuple[str, str, str]], float], Node | None] = {}
    kept: list[Any] = []
    for row in rows:
        named = frozenset(entities.get(row["finding_id"], ()))
        key = (named, row["event_time"] if any(kind == "address" for kind, _, _ in named) else 0.0)
        if key not in told:
            told[key] = actor_of(connection, named, row["event_time"], policy, known)
        if told[key] == who:
            kept.append(row)
    return kept


def _tactics(connection: Connection, rows: Sequence[Any]) -> dict[str, frozenset[str]]:
    """Return rule -> its tactics, from one finding of each."""
    one = {row["rule_id"]: row["finding_id"] for row in rows}
    query = select(findings.c.rule_id, findings.c.document)
    found = connection.execute(query.where(findings.c.finding_id.in_(sorted(one.values()))))
    return {rule: tactics_of(json.loads(text)["attack"]) for rule, text in found}
