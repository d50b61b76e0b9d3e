"""Findings and a policy for the pure rooms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from detectors.event import Entity
from detectors.finding import Finding
from detectors.identifier import derive
from playbooks.library import builtin, load
from playbooks.playbook import Playbook
from playbooks.policy import ApproverRef, Policy
from playbooks.target import TargetRef

NOW = 1_780_000_000.0


@pytest.fixture(scope="session")
def shipped() -> dict[str, Playbook]:
    """The shipped playbooks by id."""
    return load(builtin())


@pytest.fixture
def policy(shipped: dict[str, Playbook]) -> Policy:
    """Auto mode, one internal target, three approvers."""
    target = TargetRef("database_static_role", "database", "analytics", "internal", "data-platform")
    people = (
        ApproverRef("alice"),
        ApproverRef("bob", aliases=("robert",)),
        ApproverRef("carol", ("internal",)),
    )
    return Policy(site="test", mode="auto", targets=(target,), playbooks=shipped, approvers=people)


@pytest.fixture
def make_finding() -> Callable[..., Finding]:
    """A function that makes a finding of the given entities."""

    def make(*entities: tuple[str, str, str], **changes: Any) -> Finding:
        made = Finding(
            rule_id="rule-1",
            title="a title",
            level="high",
            base_level="high",
            status="final",
            source="vault_audit",
            event_id="e1",
            event_ids=("e1",),
            event_time=NOW,
            first_time=NOW,
            last_time=NOW,
            count=1,
            entities=tuple(Entity(*entity) for entity in entities),  # type: ignore[arg-type]
            attack=("T1552.007",),
            explain="somebody did something",
            finding_id=derive("finding", "rule-1", "e1"),
            labels={"playbook": "leaked-credential"},
        )
        return replace(made, **changes)

    return make
