"""Grades of kinds that lack a check: no successor, an old value that is not ours to try."""

from __future__ import annotations

import pytest

from playbooks.proof import Check, CheckName, grade


def check(name: CheckName, passed: bool = True, attempts: int = 3, seconds: float = 3.0) -> Check:
    return Check(name, passed, attempts, 100.0, 100.0 + seconds, "vault", "403")


CONTROL, NEW, GONE = check("negative_control"), check("new_accepted"), check("sessions_gone")
OLD = check("old_refused")


def test_all_four_checks_make_an_a_and_a_missing_successor_a_b_at_most():
    assert grade([CONTROL, NEW, OLD, GONE]) == "A"
    assert grade([CONTROL, OLD, GONE], without=["new_accepted"]) == "B"
    assert grade([CONTROL, OLD, GONE]) is None


def test_what_cannot_be_tried_is_a_b_if_the_rest_passes():
    assert grade([CONTROL, NEW, GONE], tried_old=False) == "B"
    assert grade([CONTROL, GONE], tried_old=False, without=["new_accepted"]) == "B"
    assert grade([CONTROL], tried_old=False, without=["new_accepted"]) is None


@pytest.mark.parametrize(
    "name", ["negative_control", "new_accepted", "old_refused", "sessions_gone", "consumers"]
)
def test_a_check_that_did_not_pass_is_never_overlooked(name):
    checks = {item.name: item for item in (CONTROL, NEW, OLD, GONE)} | {name: check(name, passed=False)}
    assert grade(list(checks.values())) is None
    assert grade(list(checks.values()), tried_old=False, without=[name]) is None


def test_too_few_or_too_quick_refusals_are_no_proof_also_without_a_successor():
    for old in (check("old_refused", attempts=2), check("old_refused", seconds=2.9)):
        assert grade([CONTROL, NEW, old, GONE]) is None
        assert grade([CONTROL, old, GONE], without=["new_accepted"]) is None
