"""What of a finding may be cut off: what is configured, one meaning only, and what is missing is told."""

from __future__ import annotations

import pytest

from detectors.event import Entity
from playbooks.containment import containments_for
from playbooks.target import TargetRef


def target(name="deployment", kind="network_quarantine", mount="shop"):
    return TargetRef(kind, mount, name, "internal", "o")


def entity(kind, name, role="target"):
    return Entity(kind, name, role)


@pytest.mark.parametrize(
    ("one", "targets", "key"),
    [
        (entity("workload", "shop/web"), [target()], "network_quarantine:shop/deployment/web"),
        (
            entity("workload", "shop/web"),
            [target("deployment/web")],
            "network_quarantine:shop/deployment/web",
        ),
        (
            entity("workload", "shop/web"),
            [target(), target("statefulset/web")],
            "network_quarantine:shop/statefulset/web",
        ),
        (
            entity("pod", "shop/web-1", "actor"),
            [target(), target("pod")],
            "network_quarantine:shop/pod/web-1",
        ),
        (entity("service_account", "shop/web"), [target("web", "mesh_deny")], "mesh_deny:shop/web"),
    ],
)
def test_an_entity_leads_to_the_target_that_means_it(one, targets, key):
    found = containments_for([one], targets)
    assert ([t.key for t in found.targets], found.missing) == ([key], ())


@pytest.mark.parametrize(
    ("one", "targets", "words"),
    [
        (entity("workload", "bank/web"), [target()], "has no target"),
        (entity("workload", "shop/web"), [target(), target("statefulset")], "fits several targets"),
        (entity("pod", "shop/web-1"), [target()], "has no target"),
        (entity("pod", "web-1"), [target("pod")], "is no name in a namespace"),
        (entity("pod", "shop/../x"), [target("pod")], "is no name in a namespace"),
        (entity("pod", "shop/a b"), [target("pod")], "not the name of an instance"),
        (entity("pod", "shop/" + "a" * 10_000), [target("pod")], "not the name of an instance"),
        (entity("service_account", "shop/db"), [target("web", "mesh_deny")], "has no target"),
    ],
)
def test_what_has_no_single_meaning_is_told_and_never_guessed(one, targets, words):
    found = containments_for([one], targets)
    assert found.targets == ()
    (line,) = found.missing
    assert words in line
    assert len(line) < 200


def test_who_only_called_our_own_and_a_site_without_containment_lead_nowhere():
    pod = entity("pod", "shop/web-1", "source")
    assert containments_for([pod], [target("pod")]) == containments_for([], [])
    own = [("service_account", "shop/web")]
    assert containments_for([entity(*own[0])], [target("web", "mesh_deny")], own).missing == ()
    assert containments_for([entity("pod", "bank/x")], []).missing == ()
