"""Findings into the tables of record: all that they cause and the place read to, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from sqlalchemy import Connection, select

from connectors.store import (
    aliases,
    audit,
    debt_use,
    grouping,
    incidents,
    own_reads,
    paging,
    places,
    planning,
    risk_campaigns,
)
from connectors.store import findings as kept
from connectors.store.database import Database
from connectors.store.schema import incidents as incident_table
from detectors.canary import finding as canary
from detectors.event import Alias
from detectors.finding import Finding
from detectors.lifecycle.held import is_held
from playbooks.credential import names_credential
from playbooks.decision import Decision, decide, own_actor
from playbooks.intake import ALIAS_RULE, bounded
from playbooks.policy import Policy

CONSUMER: Final = "davylamp-respond"
Received: TypeAlias = tuple[str, int, int, Finding]


@dataclass(slots=True)
class IngestReport:
    """What became of a batch: received = repeated + aliases + known_aliases + informational + context +
    own + held + joined (of these, `opened` opened an incident).

    `planned` are new action ids; `touched` the incidents that changed; `campaigns` those that `kept` findings
    and `learned` aliases opened.
    """

    received: int = 0
    repeated: int = 0
    aliases: int = 0
    known_aliases: int = 0
    informational: int = 0
    context: int = 0
    own: int = 0
    held: int = 0
    joined: int = 0
    pages: int = 0
    opened: list[str] = field(default_factory=list[str])
    planned: list[str] = field(default_factory=list[str])
    touched: set[str] = field(default_factory=set[str])
    campaigns: list[str] = field(default_factory=list[str])
    kept: list[Finding] = field(default_factory=list[Finding])
    learned: list[Alias] = field(default_factory=list[Alias])


def ingest(
    database: Database,
    findings: Sequence[Received],
    offsets: Mapping[tuple[str, int], int],
    now: float,
    policy: Policy,
    *,
    consumer: str = CONSUMER,
) -> IngestReport:
    """Take a batch of findings (topic, partition, offset, finding) and the next offsets to read.

    `now` is seconds (UTC). All or nothing: raises StoreError and leaves no row when anything fails.
    Findings known by id are counted `repeated` and change nothing.
    """
    report = IngestReport(received=len(findings))
    with database.transaction() as connection:
        for finding in _new(connection, findings, report):
            _take(connection, finding, now, policy, report)
        weighed = risk_campaigns.weigh(connection, report.kept, report.learned, now, policy)
        report.campaigns += weighed.opened
        report.touched |= weighed.touched
        report.pages += weighed.pages
        for incident in sorted(report.touched):
            incidents.publish(connection, incident, now)
        audit.publish(connection, now)
        places.write(connection, consumer, offsets)
    return report


def next_offsets(database: Database, consumer: str = CONSUMER) -> dict[tuple[str, int], int]:
    """Return (topic, partition) -> the next offset to read."""
    with database.reading() as connection:
        return places.read(connection, consumer)


def set_offsets(database: Database, offsets: Mapping[tuple[str, int], int], consumer: str = CONSUMER) -> None:
    """Set where a consumer reads next; to rewind, set 0. The role must be stopped."""
    with database.transaction() as connection:
        places.write(connection, consumer, offsets)


def _new(connection: Connection, received: Sequence[Received], report: IngestReport) -> list[Finding]:
    """Return the findings not yet kept, aliases first, then by event time: arrival order shall not matter."""
    every = [bounded(finding) for _, _, _, finding in received]
    seen = kept.known(connection, [finding.finding_id for finding in every])
    fresh: dict[str, Finding] = {}
    for finding in every:
        if finding.finding_id in seen or finding.finding_id in fresh:
            report.repeated += 1
        else:
            fresh[finding.finding_id] = finding
    return sorted(fresh.values(), key=lambda f: (f.rule_id != ALIAS_RULE, f.event_time, f.finding_id))


def _take(connection: Connection, finding: Finding, now: float, policy: Policy, report: IngestReport) -> None:
    decision = decide(finding, policy, now)
    if decision.kind == "alias":
        learned = decision.alias is not None and aliases.learn(connection, decision.alias)
        report.aliases += int(learned)
        report.known_aliases += int(not learned)
        report.learned += [decision.alias] if learned and decision.alias is not None else []
        return
    own_read = own_actor(finding, policy) and names_credential(finding.entities)
    if decision.kind == "informational" and not own_read:
        if canary.LABEL not in finding.labels:  # one every few minutes, for ever, and nothing is done with it
            kept.keep(connection, finding, now, "informational", None)
        report.informational += 1
        return
    if own_actor(finding, policy):
        if own_reads.explained(connection, finding, policy):
            kept.keep(connection, finding, now, "self", None)
            report.own += 1
            return
        decision = decide(finding, policy, now, own_unexplained=True)
        subject = finding.finding_id
        audit.record(connection, now, "davylamp", "own_identity.unexplained", subject, "refused")
    elif is_held(finding):
        report.held += 1  # recorded in the topic; a flood of them must not fill the database
        return
    if debt_use.explained(connection, finding, policy):
        kept.keep(connection, finding, now, "self", None)
        report.own += 1
        return
    if decision.kind == "context":
        _keep_context(connection, finding, now, policy, report)
        return
    _join(connection, finding, decision, now, policy, report)


def _keep_context(
    connection: Connection, finding: Finding, now: float, policy: Policy, report: IngestReport
) -> None:
    home = grouping.home_of(connection, finding, policy.times.signals_window_s)
    kept.keep(connection, finding, now, "context", home)
    report.context += 1
    report.kept.append(finding)
    if home is not None:
        grouping.note(connection, home, finding, now)
        report.touched.add(home)


def _join(
    connection: Connection,
    finding: Finding,
    decision: Decision,
    now: float,
    policy: Policy,
    report: IngestReport,
) -> None:
    row = grouping.open_incident(connection, finding, decision)
    occasion = ""
    if row is None:
        identifier = grouping.open_new(connection, finding, decision, now)
        report.opened.append(identifier)
        occasion = "opened"
    else:
        identifier = str(row["id"])
        if grouping.join(connection, row, finding, decision, now):
            occasion = f"level:{decision.level}"
    report.joined += 1
    report.kept.append(finding)
    report.touched |= {identifier, *debt_use.tell(connection, finding, now)}
    kept.keep(connection, finding, now, "incident", identifier)
    grouping.note(connection, identifier, finding, now)
    current = (
        connection.execute(select(incident_table).where(incident_table.c.id == identifier)).mappings().one()
    )
    report.touched |= grouping.adopt(connection, current, finding, policy.times.signals_window_s)
    planned = planning.plan(connection, identifier, finding, decision, policy, now)
    report.planned += planned
    if planned and current["status"] in ("contained", "recovered"):
        incidents.transition(connection, identifier, "reopened", now, "davylamp")
    if occasion:
        report.pages += paging.page(connection, policy, identifier, occasion, decision.title, now)
