"""The catalogue lists the containments; each says what it needs, and none starts by itself."""

from __future__ import annotations

import pytest
import yaml

from connectors.containment.catalogue import containment_types, containments, rights_for, roles
from connectors.containment.mark import Mark
from connectors.containment.tools import Tools
from connectors.kubernetes.permission import Permission
from playbooks.containment import NEEDED, containment_grade
from playbooks.proof import Check
from playbooks.target import TargetRef

TOOLS = Tools(kubernetes=None)  # type: ignore[arg-type]


def target(example: str) -> TargetRef:
    found = yaml.safe_load(example)
    return TargetRef(found["kind"], found["mount"], found["name"], "unknown", "")


def test_every_containment_shows_an_example_and_never_acts_by_itself():
    types = containment_types()
    assert list(types) == ["mesh_deny", "network_quarantine"]
    for kind, verb in types.items():
        ref = target(verb.example)
        made = containments(TOOLS)[kind]
        assert ref.kind == kind
        assert not verb.automatic
        assert (verb.best_grade, verb.permissions, verb.irreversible) == ("C", (), "")
        (acting,) = [step for step in made.steps(ref) if step.effect]
        assert acting.undo and not acting.irreversible and acting.milestone == "contained"
        assert made.undo_steps(ref)[0].effect


def test_rights_are_named_one_by_one_and_hold_no_star():
    targets = [target(verb.example) for verb in containment_types().values()]
    rights = rights_for(TOOLS, targets)
    assert not [one for one in rights if "*" in str(one)]
    assert not [one for one in rights if one.resource == "secrets"]
    deletes = [one for one in rights if one.verb == "delete"]
    assert deletes and all(one.name for one in deletes)
    made = roles("davylamp", rights)
    assert [one["metadata"]["namespace"] for one in made] == ["istio-system", "payments"]  # type: ignore[index, call-overload]
    assert Permission("list", "", "pods", "payments") in rights


def test_one_object_for_one_target_whatever_the_action():
    first, second = Mark("v", "t", "a1", 1.0), Mark("v", "t", "a2", 2.0)
    assert first.name == second.name != Mark("v", "u", "a1", 1.0).name
    assert len(first.name) <= 63


@pytest.mark.parametrize("seconds", [0.0, 59.0, 90_000.0, -1.0])
def test_a_containment_never_lasts_for_ever(seconds: float):
    with pytest.raises(ValueError, match="lasts 60 to 86400"):
        Tools(kubernetes=None, duration_s=seconds)  # type: ignore[arg-type]


def test_a_containment_is_told_as_standing_and_not_as_proven():
    checks = [Check(name, True, 1, 0.0, 0.0, "o", "200") for name in NEEDED]
    assert containment_grade(checks) == "C"
    assert containment_grade(checks[:-1]) is None
    assert containment_grade([*checks[:-1], Check(NEEDED[-1], False, 1, 0.0, 0.0, "o", "x")]) is None
