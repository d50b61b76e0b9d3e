"""What is read from the tables of record, typed: incidents, actions, targets. Times: seconds, UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.store.debt_reading import DebtRow
from connectors.store.risk_reading import Campaign, Link
from connectors.store.schema import OPEN_STATUSES


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """One row of `incidents`, column by column."""

    id: str
    number: int
    key: str
    status: str
    level: str
    title: str
    playbook_id: str
    playbook_version: str
    primary_type: str
    primary_id: str
    owner: str | None
    first_event_at: float
    last_event_at: float
    detected_at: float
    opened_at: float
    acked_at: float | None
    contained_at: float | None
    recovered_at: float | None
    closed_at: float | None
    close_reason: str | None
    note: str | None
    parent_id: str | None
    stale: bool
    version: int
    updated_seq: int

    @property
    def open(self) -> bool:
        """Whether somebody still has to do something about it."""
        return self.status in OPEN_STATUSES


@dataclass(frozen=True, slots=True)
class Approval:
    """One decision of one person about one digest; `via` is page, api or link."""

    action_id: str
    approver: str
    decision: str
    digest: str
    at: float
    via: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an action as the worker keeps it; `checks` are objects of the proof contract. `consumers`
    is what it knows of them (`playbooks.convergence.Convergence.to_json`), empty when it looked for none.
    """

    ordinal: int
    name: str
    state: str
    attempt: int
    done_at: float | None
    note: str
    checks: Sequence[dict[str, Any]]
    consumers: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class ActionRecord:
    """An action with its steps, approvals and proof. `plan`, `guards`, `proof` are the stored JSON."""

    id: str
    incident_id: str | None
    verb: str
    target_key: str
    target_kind: str
    mount: str
    name: str
    classification: str
    target_owner: str
    mode: str
    drill: bool
    playbook_id: str
    playbook_version: str
    epoch: int
    digest: str
    needed: int
    auto: bool
    requester: str
    trigger_time: float
    state: str
    reason: str
    created_at: float
    expires_at: float | None
    queued_at: float | None
    started_at: float | None
    finished_at: float | None
    plan: dict[str, Any]
    guards: Sequence[dict[str, Any]]
    actors: Sequence[Any]
    approvals: Sequence[Approval] = ()
    steps: Sequence[Step] = ()
    proof: dict[str, Any] | None = None

    @property
    def given(self) -> int:
        """How many people approved exactly this digest."""
        return sum(a.decision == "approve" and a.digest == self.digest for a in self.approvals)

    @property
    def waiting(self) -> bool:
        """Whether it waits for people."""
        return self.state == "proposed" and self.given < self.needed


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line of an incident's timeline."""

    at: float
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class EntityCount:
    """An entity, its role, and in how many findings of the incident it stands."""

    type: str
    id: str
    role: str
    findings: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notification of the ledger."""

    notifier: str
    state: str
    attempts: int
    delivered_at: float | None


@dataclass(frozen=True, slots=True)
class IncidentRecord:
    """An incident with what belongs to it; `findings` are finding documents, newest first."""

    row: IncidentRow
    findings: Sequence[dict[str, Any]]
    findings_total: int
    entities: Sequence[EntityCount]
    timeline: Sequence[TimelineEntry]
    timeline_total: int
    actions: Sequence[ActionRecord]
    acknowledged_by: Sequence[tuple[str, float]]
    notes: Sequence[tuple[str, float, str]]
    deliveries: Sequence[Delivery]
    debts: Sequence[DebtRow] = ()
    campaign: Campaign | None = None
    campaigns: Sequence[Link] = ()


@dataclass(frozen=True, slots=True)
class Queue:
    """The front page: open incidents worst first, the last closed ones, proposals, switches that are on."""

    open: Sequence[IncidentRow]
    open_total: int
    by_level: dict[str, int]
    closed: Sequence[IncidentRow]
    closed_total: int
    actions: Sequence[ActionRecord]
    switches: Sequence[tuple[str, str, float]]


@dataclass(frozen=True, slots=True)
class TargetState:
    """What the database knows about a target, by its key."""

    key: str
    epoch: int = 0
    rotated_at: float | None = None
    verified_at: float | None = None
    last_success_at: float | None = None
    last_failure_at: float | None = None
    drilled_at: float | None = None
    drill_passed: bool | None = None
    drill_grade: str | None = None
    actions: dict[str, int] = field(default_factory=dict)
