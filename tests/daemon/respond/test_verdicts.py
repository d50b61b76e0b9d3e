"""How an action ends, by how far it came."""

from __future__ import annotations

import pytest

from connectors.store.leases import ActionRow
from daemon.roles.respond.notifying import LONGEST_RETRY_S, MAX_ATTEMPTS, retry_after
from daemon.roles.respond.progress import Run, Step
from daemon.roles.respond.verdict import failed_ending, proven_ending, timed_out
from playbooks.ports import StepFailedError, StepResult, StepSpec
from playbooks.proof import Check
from playbooks.target import TargetRef

ACTION = ActionRow(
    id="a",
    incident_id="i",
    verb="rotate.credential",
    target=TargetRef("database_static_role", "database", "x", "internal", "data"),
    mode="contain",
    drill=False,
    auto=True,
    epoch=3,
    digest="0" * 64,
    state="executing",
    started_at=0.0,
    deadline_at=100.0,
)


def spec(name: str, effect: str | None = None) -> StepSpec:
    return StepSpec(name, effect, effect is not None, deadline_s=60, timeout_s=5, max_attempts=3)


def a_run(*done: str) -> Run:
    specs = [spec("look"), spec("change", "changes it"), spec("prove")]
    steps = [Step(number, one) for number, one in enumerate(specs)]
    for step in steps:
        if step.name in done:
            step.finish(StepResult())
    return Run(steps)


def check(name, passed=True, first=0.0, last=3.1, attempts=3) -> Check:
    return Check(name, passed, attempts, first, last, "db", "28P01")


FOUR = [check("negative_control"), check("new_accepted"), check("sessions_gone")]


def test_before_the_change_nothing_was_rotated():
    run = a_run()
    ending = failed_ending(ACTION, run, run.named("look"), "denied", final=True, now=1.0)
    assert (ending.state, ending.rotated_at, ending.proof) == ("failed", None, None)


def test_while_it_may_still_change_a_person_must_look():
    run = a_run("look")
    ending = failed_ending(ACTION, run, run.named("change"), "no answer", final=False, now=1.0)
    assert ending.state == "needs_human"


def test_after_the_change_the_missing_proof_is_kept_without_a_grade():
    run = a_run("look", "change")
    failed = run.named("prove")
    failed.failed(StepFailedError("let in", retry=False, checks=[check("old_refused", passed=False)]), 1.0)
    ending = failed_ending(ACTION, run, failed, "let in", final=True, now=1.0)
    assert ending.state == "verify_failed"
    assert ending.proof is not None
    assert ending.proof.grade is None
    assert [item.name for item in ending.proof.checks] == ["old_refused"]


@pytest.mark.parametrize(
    ("old", "state", "grade"),
    [
        ([check("old_refused")], "succeeded", "A"),
        ([check("old_refused", last=2.9)], "verify_failed", None),
        ([check("old_refused", attempts=2)], "verify_failed", None),
        ([], "verify_failed", None),
    ],
)
def test_the_grade_decides_whether_it_succeeded(old, state, grade):
    run = a_run("look", "change")
    run.named("prove").finish(StepResult({"rotated_at": 5.0}, [*FOUR, *old]))
    ending = proven_ending(ACTION, run, 9.0)
    assert (ending.state, ending.proof and ending.proof.grade, ending.rotated_at) == (state, grade, 5.0)


def test_an_old_value_that_cannot_be_tried_makes_grade_b():
    run = a_run("look", "change")
    run.named("prove").finish(StepResult({"rotated_at": 5.0, "tried_old": False}, FOUR))
    ending = proven_ending(ACTION, run, 9.0)
    assert ending.proof is not None
    assert ending.proof.grade == "B"


def test_waiting_for_the_outside_is_not_the_steps_time():
    step = Step(0, spec("look"))
    for number in range(10):
        step.begin(100.0 * number)
        step.failed(StepFailedError("away", retry=True, unavailable="vault"), 100.0 * number + 50)
    assert step.used_s == 0
    assert step.failures == 0
    assert step.tries == 10
    assert timed_out(ACTION, step, 50.0) is None


def test_its_own_failures_are():
    step = Step(0, spec("look"))
    step.begin(0.0)
    step.failed(StepFailedError("refused", retry=True), 61.0)
    assert step.failures == 1
    assert "deadline" in (timed_out(ACTION, step, 61.0) or "")


def test_the_actions_deadline_ends_it():
    assert "deadline" in (timed_out(ACTION, Step(0, spec("look")), 100.5) or "")


def test_the_escrow_is_not_part_of_what_a_step_leaves_in_the_clear():
    step = Step(0, spec("look"))
    step.finish(StepResult({"escrow": "vault:v1:x", "baseline": "t"}))
    assert step.left == {"baseline": "t"}
    assert step.escrow == "vault:v1:x"
    assert Run([step]).state == {"baseline": "t", "escrow": "vault:v1:x"}


def test_a_step_done_again_forgets_its_first_time_but_counts():
    step = Step(0, spec("look"))
    step.finish(StepResult({"rotated": "old"}))
    step.state = "pending"
    step.begin(1.0)
    assert step.again == 1
    assert step.left == {}


def test_pages_are_tried_for_hours_then_given_up():
    waits = [retry_after(attempts) for attempts in range(1, MAX_ATTEMPTS + 1)]
    assert waits[-1] is None
    assert all(wait is not None and wait <= LONGEST_RETRY_S for wait in waits[:-1])


def a_brake(*done: str) -> Run:
    changing = StepSpec("deny", "aws iam:PutRolePolicy", False, 60, 5, 3, undo="as before")
    steps = [Step(number, one) for number, one in enumerate([spec("look"), changing, spec("stands")])]
    for step in steps:
        if step.name in done:
            step.finish(StepResult())
    return Run(steps)


def test_a_brake_that_took_hold_and_is_not_proven_is_a_persons_to_keep_or_undo():
    run = a_brake("look", "deny")
    ending = failed_ending(ACTION, run, run.named("stands"), "away", final=True, now=1.0)
    assert ending.state == "needs_human"
    assert "done and not proven: aws iam:PutRolePolicy" in ending.reason
    assert "nothing was" not in ending.reason
    assert ending.proof is not None
    assert ending.proof.grade is None
    assert ending.rotated_at is None


def test_a_brake_that_may_have_taken_hold_is_a_persons_to_look_at():
    run = a_brake("look")
    ending = failed_ending(ACTION, run, run.named("deny"), "no answer", final=False, now=1.0)
    assert (ending.state, ending.proof) == ("needs_human", None)
    assert "may still take effect" in ending.reason


@pytest.mark.parametrize(("done", "at"), [((), "look"), (("look",), "deny")])
def test_a_brake_that_was_refused_changed_nothing(done, at):
    run = a_brake(*done)
    ending = failed_ending(ACTION, run, run.named(at), "denied", final=True, now=1.0)
    assert (ending.state, ending.reason) == ("failed", "denied; nothing was changed")
