"""What a schedule plays with: targets, people, findings, and the policy that decides."""

from __future__ import annotations

from functools import cache
from typing import Final

from response_life.world import KIND

from detectors.event import Entity
from detectors.finding import Finding
from detectors.identifier import derive
from detectors.level import Level
from playbooks.library import builtin, load
from playbooks.policy import ApproverRef, NotifierRule, Policy, Safety, Times
from playbooks.target import DataClass, TargetRef

START: Final = 1_780_000_000.0
DAY_S: Final = 86_400.0
TOPIC: Final = "davylamp.findings"
MEMBERS: Final = ("alice", "bob", "carol", "crm", "mallory")
"""crm owns one target and approves too; mallory is nobody's approver."""


def _target(name: str, classification: DataClass, owner: str) -> TargetRef:
    return TargetRef(KIND, "database", name, classification, owner)


TARGETS: Final = (
    _target("analytics", "internal", "data-platform"),
    _target("reports", "internal", "data-platform"),
    _target("exports", "internal", "logistics"),
    _target("payments", "confidential", "finance"),
    _target("customers", "restricted", "crm"),
)


@cache
def policy() -> Policy:
    """Auto mode, the default caps, a kind's share that leaves the caps to decide, short rests."""
    return Policy(
        site="test",
        mode="auto",
        targets=TARGETS,
        times=Times(cooldown_success_s=60.0, cooldown_failure_s=30.0),
        safety=Safety(kind_floor=50, at_once=3, breaker_failures=4),
        playbooks=load(builtin()),
        approvers=tuple(ApproverRef(name) for name in MEMBERS if name != "mallory"),
        notifiers=(NotifierRule("webhook", "high"),),
    )


def theft(
    number: int, target: TargetRef, actor: str, at: float, *, whole: bool, level: Level
) -> list[Finding]:
    """Return the read of a password; `whole`: and the exec that it meets over its pod's address."""
    pod, address = f"data/etl-{number}", f"10.1.{number // 250}.{number % 250}"
    read = _finding(
        f"read-{number}",
        "read",
        "vault_audit",
        at,
        level,
        (
            Entity("credential", f"database:database/{target.name}", "target"),
            Entity("vault_entity", actor, "actor"),
            Entity("address", address, "source"),
        ),
        {"playbook": "leaked-credential"},
    )
    if not whole:
        return [read]
    shell = _finding(
        f"exec-{number}",
        "exec",
        "kubernetes_audit",
        at - 5,
        level,
        (Entity("pod", pod, "target"), Entity("k8s_user", actor, "actor")),
        {"playbook": "pod-exec"},
    )
    words = {"a_type": "pod", "a_id": pod, "b_type": "address", "b_id": address, "alias": "true"}
    alias = _finding(
        f"alias-{number}", "davylamp-alias", "kubernetes_audit", at - 600, "informational", (), words
    )
    return [alias, shell, read]


def _finding(
    event: str,
    rule: str,
    source: str,
    at: float,
    level: Level,
    entities: tuple[Entity, ...],
    labels: dict[str, str],
) -> Finding:
    return Finding(
        rule_id=rule,
        title=f"title of {rule}",
        level=level,
        base_level=level,
        status="final",
        source=source,
        event_id=event,
        event_ids=(event,),
        event_time=at,
        first_time=at,
        last_time=at,
        count=1,
        entities=entities,
        attack=("T1552.007",),
        explain="somebody did something",
        finding_id=derive("finding", rule, event),
        labels=labels,
    )
