"""The breach end to end on real parts, as a user sees it: proof A, nothing twice, nothing left."""

from __future__ import annotations

import time

import pytest

pytestmark = pytest.mark.integration
PLAYBOOKS = {"leaked-credential", "pod-exec", "log-tampering", "mesh-downgrade"}


def check(document: dict) -> None:
    assert document["schema"] == "davylamp.demo/1"
    assert document["proof"]["grade"] == "A", document
    assert document["proof"]["target"]["name"] == "analytics"
    assert [p for p in document["proposed"] if p["needed"] == 2 and p["given"] == 0]
    assert {incident["key"].split("/")[1] for incident in document["incidents"]} >= PLAYBOOKS
    assert document["conservation"]["violations"] == []
    assert document["ok"] is True


def test_two_passes_are_proven_once_and_the_second_brings_nothing_new(demo):
    run = demo("--once", "--passes", "2")
    document = run.document()
    assert run.finish() == 0
    check(document)
    assert document["second_pass"] == {"incidents": 0, "actions": 0, "pages": 0}
    assert len(run.output()) == 1
    assert run.left_over() == []


@pytest.mark.parametrize("role", ["detect", "respond", "forward", "web"])
def test_a_role_killed_in_the_middle_comes_back_and_the_outcome_is_the_same(demo, role):
    run = demo("--once", "--passes", "2")
    run.line("the breach ...")
    time.sleep(1.5)
    victim = run.role(role)
    victim.kill()
    document = run.document()
    assert run.finish() == 0, "".join(run.lines[-30:])
    check(document)
    assert document["second_pass"] == {"incidents": 0, "actions": 0, "pages": 0}
    assert run.left_over() == []


def test_ctrl_c_ends_every_child(demo):
    run = demo()
    run.line("the breach ...")
    run.interrupt()
    assert run.left_over() == []
