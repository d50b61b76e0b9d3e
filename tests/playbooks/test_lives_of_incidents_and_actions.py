"""Incidents and actions go only legal ways, and their ids depend on nothing but what they are made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from playbooks.action import BUSY, TERMINAL, IllegalActionError, check_action, may_go, parse_state
from playbooks.incident import (
    OPEN,
    STATUSES,
    IllegalTransitionError,
    action_id,
    allowed,
    bounded_id,
    check_transition,
    incident_id,
    incident_key,
    parse_status,
    plan_digest,
)

EVERY_STATE = sorted(BUSY | TERMINAL | {"proposed"})


class IncidentLife(RuleBasedStateMachine):
    """Whatever is asked for, an incident moves along the table, and can always be closed and reopened."""

    def __init__(self) -> None:
        super().__init__()
        self.status = "new"
        self.seen = ["new"]

    @rule(to_status=st.sampled_from(STATUSES))
    def ask(self, to_status):
        before = self.status
        try:
            check_transition(before, to_status)
        except IllegalTransitionError:
            assert to_status not in allowed(before)
            return
        self.status = to_status
        self.seen.append(to_status)

    @invariant()
    def nothing_becomes_new_again(self):
        assert self.seen.count("new") == 1

    @invariant()
    def recovery_comes_after_containment(self):
        if self.status == "recovered":
            assert self.seen[-2] == "contained"

    @invariant()
    def there_is_always_a_way_out(self):
        wanted = "closed" if self.status in OPEN else "reopened"
        assert wanted in allowed(self.status)


class ActionLife(RuleBasedStateMachine):
    """An action never starts twice and never leaves a final success."""

    def __init__(self) -> None:
        super().__init__()
        self.state = "proposed"
        self.seen = ["proposed"]

    @rule(to_state=st.sampled_from(EVERY_STATE))
    def ask(self, to_state):
        try:
            check_action(self.state, to_state)
        except IllegalActionError:
            assert not may_go(self.state, to_state)
            return
        self.state = to_state
        self.seen.append(to_state)

    @invariant()
    def it_starts_at_most_once(self):
        assert self.seen.count("queued") <= 1
        assert self.seen.count("executing") <= 1

    @invariant()
    def nothing_succeeds_without_running(self):
        if "succeeded" in self.seen:
            assert "executing" in self.seen
            assert self.state == "succeeded"

    @invariant()
    def what_was_refused_never_runs(self):
        if {"rejected", "expired", "satisfied", "superseded"} & set(self.seen):
            assert "queued" not in self.seen


TestIncidentLife = IncidentLife.TestCase
TestActionLife = ActionLife.TestCase


def test_unknown_states_are_named():
    with pytest.raises(ValueError, match="'sleeping' is not one of new, acknowledged"):
        parse_status("sleeping")
    with pytest.raises(ValueError, match="unknown"):
        parse_state("sleeping")
    with pytest.raises(IllegalTransitionError, match="from merged to closed; allowed: reopened"):
        check_transition("merged", "closed")


@given(st.text(), st.text())
def test_two_entities_never_share_a_key(one, other):
    keys = [incident_key("t", "p", ("pod", name)) for name in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)
    assert keys[0].count("/") == 3


@given(st.text(alphabet=st.characters(), max_size=2000))
def test_a_bounded_id_fits_every_database(text):
    result = bounded_id(text)
    assert len(result.encode("utf-8")) <= 512
    assert "\x00" not in result
    assert bounded_id(result) == result


def test_ids_change_with_everything_that_they_are_made_of():
    base = action_id("i", "v", "t", 0)
    assert base == action_id("i", "v", "t", 0)
    others = {action_id("j", "v", "t", 0), action_id("i", "w", "t", 0), action_id("i", "v", "u", 0)}
    others |= {action_id("i", "v", "t", 1), action_id("i", "v", "t", 0, 1), incident_id("i", "v")}
    assert len(others | {base}) == 7


def test_the_digest_ignores_the_order_of_keys_and_nothing_else():
    assert plan_digest({"a": 1, "b": [1, 2]}) == plan_digest({"b": [1, 2], "a": 1})
    assert plan_digest({"a": 1}) != plan_digest({"a": "1"})
    assert len(plan_digest({})) == 64
