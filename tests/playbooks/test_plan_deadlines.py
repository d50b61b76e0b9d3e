"""The action's time covers what its steps may take."""

from __future__ import annotations

from dataclasses import replace

import pytest

from playbooks.plan import rotation_plan
from playbooks.ports import StepSpec


def step(name: str, deadline_s: float) -> StepSpec:
    return StepSpec(name, None, False, deadline_s, 5, 5)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [((), 120), ((step("a", 30),), 120), ((step("rotate", 60), step("consumers", 7200)), 7260)],
)
def test_the_deadline_is_the_playbooks_unless_the_steps_need_more(policy, steps, expected):
    playbook = policy.playbooks["leaked-credential"]
    plan = rotation_plan(
        policy.targets[0],
        replace(policy, steps_of=lambda _target: steps),
        playbook,
        epoch=0,
        incident_id=None,
    )
    assert plan["deadline_s"] == expected
