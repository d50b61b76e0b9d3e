"""What a plan says of its kind: the best proof, what stays, and no word of a password that is none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from config.response import Target
from config.settings import Settings
from daemon.roles.respond.policy import policy_of, target_refs
from daemon.web import plan_view
from playbooks.plan import rotation_plan


def a_plan(kind: str) -> Any:
    """Return the plan as a record of the store would carry it."""
    settings = Settings()
    (ref,) = target_refs(
        settings.model_copy(
            update={
                "response": settings.response.model_copy(
                    update={"targets": (Target(kind=kind, mount="m", name="n"),)}
                )
            }
        )
    )
    plan = rotation_plan(ref, policy_of(settings), None, epoch=0, incident_id=None)
    return SimpleNamespace(plan=plan, target_kind=kind, mode="contain", steps=())


@pytest.mark.parametrize(
    ("kind", "grade", "stays"),
    [
        ("vault_token", "B", "Cannot be taken back: a revoked token"),
        ("aws_role_sessions", "B", "Everything that it changes can be taken back."),
        ("database_static_role", "A", "Cannot be taken back: "),
    ],
)
def test_a_plan_says_its_best_proof_and_what_stays(kind, grade, stays):
    best, said = plan_view.outlook(a_plan(kind))
    assert best == f"The best proof of this kind is grade {grade}."
    assert said.startswith(stays)


def test_a_token_has_no_password_in_its_plan():
    action = a_plan("vault_token")
    lines = [*(step.title for step in plan_view.steps(action)), *plan_view.blast_radius(action)]
    assert "password" not in " ".join([*lines, *plan_view.undo(action)])


def test_a_plan_of_before_says_nothing_it_does_not_know():
    action: Any = SimpleNamespace(plan={}, target_kind="vault_token", mode="contain", steps=())
    assert plan_view.outlook(action) == []
