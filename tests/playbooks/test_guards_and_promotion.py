"""Each guard by itself, and what the verdicts together lead to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playbooks import guard
from playbooks.approval import NEEDED, Asked, Tally
from playbooks.guard import GuardContext, Recent, TargetState
from playbooks.policy import CapLimits, Policy
from playbooks.promotion import judge
from playbooks.target import TargetRef

NOW = 1_780_000_000.0


@pytest.fixture(scope="session")
def base_context(shipped):
    """An action with nothing against it."""
    target = TargetRef("database_static_role", "database", "analytics", "internal", "data-platform")
    asked = Asked("rotate.credential", "internal", "data-platform", "davylamp", "d", frozenset(), NOW + 60)
    return GuardContext(
        now=NOW,
        policy=Policy(mode="auto", targets=(target,), playbooks=shipped),
        playbook=shipped["leaked-credential"],
        target=target,
        target_key=target.key,
        asked=asked,
        tally=Tally((), (), ()),
        drill=False,
        epoch=0,
        trigger_time=NOW - 5,
        actors=("vault_entity:e",),
        state=TargetState(drill_passed_at=NOW - 100),
        signals=("kubernetes_audit", "vault_audit"),
    )


@pytest.fixture
def context(base_context):
    """The same, by the name that most tests use."""
    return base_context


def test_with_nothing_against_it_it_starts_by_itself(context):
    outcome = judge(context)
    assert (outcome.state, outcome.auto, outcome.needed) == ("queued", True, 0)
    assert all(verdict.passed for verdict in outcome.verdicts)


AGAINST_AUTO = {
    "mode": lambda c: replace(c, policy=replace(c.policy, mode="propose")),
    "drill": lambda c: replace(c, state=TargetState()),
    "two_signals": lambda c: replace(c, signals=("vault_audit",)),
    "freshness": lambda c: replace(c, trigger_time=NOW - 86_401),
    "cooldown": lambda c: replace(c, state=replace(c.state, last_success_at=NOW - 1)),
    "caps": lambda c: replace(c, recent=Recent(by_owner=2)),
    "blast_radius": lambda c: replace(c, targets_of_incident=4),
    "epoch": lambda c: replace(c, state=replace(c.state, rotated_at=NOW)),
}


@pytest.mark.parametrize("name", AGAINST_AUTO)
def test_each_doubt_makes_it_a_proposal_that_one_person_can_approve(context, name):
    doubtful = AGAINST_AUTO[name](context)
    outcome = judge(doubtful)
    assert (outcome.state, outcome.needed, outcome.auto) == ("proposed", 1, False)
    assert name in outcome.reason
    approved = judge(replace(doubtful, tally=Tally(("alice",), (), ())))
    assert (approved.state, approved.auto) == ("queued", False)


HOLDING = {
    "kill_switch": lambda c: replace(c, engaged=frozenset({"all"})),
    "one_at_a_time": lambda c: replace(c, busy="other"),
}


@pytest.mark.parametrize("name", HOLDING)
def test_approvals_do_not_lift_what_holds(context, name):
    held = replace(HOLDING[name](context), tally=Tally(("alice", "bob"), (), ()))
    assert judge(held).state == "proposed"
    assert name in judge(held).reason


def test_the_switch_of_another_verb_does_not_hold(context):
    assert guard.kill_switch(replace(context, engaged=frozenset({"verb:other"}))).passed
    assert not guard.kill_switch(replace(context, engaged=frozenset({"verb:rotate.credential"}))).passed
    assert not guard.kill_switch(replace(context, policy=replace(context.policy, kill_switch=True))).passed


ENDING = {
    "satisfied": lambda c: replace(c, state=replace(c.state, rotated_at=NOW + 60)),
    "expired": lambda c: replace(c, now=NOW + 60),
    "rejected": lambda c: replace(c, tally=Tally(("alice",), ("bob",), ())),
}


@pytest.mark.parametrize("state", ENDING)
def test_what_ends_it(context, state):
    assert judge(ENDING[state](context)).state == state


def test_a_target_that_is_gone_or_denied_is_rejected(context):
    assert judge(replace(context, target=None)).state == "rejected"
    denied = replace(context.policy, denied=frozenset({context.target_key}))
    assert judge(replace(context, policy=denied)).state == "rejected"


@pytest.mark.parametrize(
    ("recent", "passed"),
    [
        (Recent(), True),
        (Recent(by_actor={"vault_entity:e": 1}, site=1, seen=frozenset({"vault_entity:e"})), True),
        (Recent(by_actor={"vault_entity:e": 2}), False),
        (Recent(by_owner=1), True),
        (Recent(by_owner=2), False),
        (Recent(site=7, seen=frozenset({"vault_entity:e"})), True),
        (Recent(site=8, seen=frozenset({"vault_entity:e"})), False),
        (Recent(site=9), True),
        (Recent(site=10), False),
    ],
)
def test_caps_keep_a_share_for_actors_that_are_not_in_the_storm(context, recent, passed):
    limits = CapLimits(fresh_actor_share=0.2)
    assert (
        guard.caps(replace(context, recent=recent, policy=replace(context.policy, caps=limits))).passed
        is passed
    )


def test_a_drill_needs_no_signals_but_rests_and_asks_by_class(context):
    drill = replace(context, drill=True, signals=(), state=TargetState())
    outcome = judge(drill)
    assert (outcome.state, outcome.auto) == ("queued", False)
    assert judge(replace(drill, engaged=frozenset({"all"}))).state == "proposed"
    tired = replace(drill, state=TargetState(last_success_at=NOW), tally=Tally(("alice",), (), ()))
    assert judge(tired).state == "proposed"
    careful = replace(drill, asked=replace(drill.asked, classification="restricted"))
    assert judge(careful).needed == 2


@given(
    st.sets(st.sampled_from(sorted(AGAINST_AUTO))),
    st.sampled_from(["public", "internal", "confidential", "restricted", "unknown"]),
    st.integers(0, 3),
)
def test_nothing_starts_without_the_approvals_of_its_class(base_context, doubts, classification, given_count):
    context = replace(base_context, asked=replace(base_context.asked, classification=classification))
    for name in sorted(doubts - {"epoch"}):
        context = AGAINST_AUTO[name](context)
    people = ("alice", "bob", "carol")[:given_count]
    outcome = judge(replace(context, tally=Tally(people, (), ())))
    if outcome.state == "queued":
        assert given_count >= NEEDED[classification]
        assert outcome.auto == (not doubts - {"epoch"} and NEEDED[classification] == 0)
