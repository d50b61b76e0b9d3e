"""Runs a handler's steps as the worker does: precheck, a look before any second try, then the call."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from playbooks.ports import StepContext, StepFailedError, StepSpec
from playbooks.proof import Check
from playbooks.target import TargetRef

ACTION = "0190c1a2-0000-8000-8000-000000000001"


def context_of(target: TargetRef, action_id: str = ACTION, **state: Any) -> StepContext:
    """Return the context of a new action."""
    return StepContext(
        target=target, action_id=action_id, mode="contain", attempt=1, now=time.time, state=dict(state)
    )


def run(
    handler: Any,
    context: StepContext,
    steps: Sequence[StepSpec] | None = None,
    *,
    after: Callable[[str], None] = lambda _name: None,
    killed: bool = False,
) -> list[Check]:
    """Run `steps` (all by default), each again while it asks; return the checks. Raises StepFailedError.

    `after` is told of each step that is done. With `killed` the worker dies after every first call: what it
    returned is lost, and the next worker does the step as its second attempt. State goes through JSON, as in
    the database.
    """
    checks: list[Check] = []
    for step in steps or handler.steps(context.target):
        lost = killed
        for attempt in range(1, step.max_attempts + 2):
            context.attempt = attempt
            try:
                handler.precheck(step, context)
                if step.effect is None or handler.observe(step, context) != "done":
                    result = handler.call(step, context)
                    if lost:
                        lost = False
                        continue
                    context.state.update(orjson.loads(orjson.dumps(dict(result.state))))
                    checks += result.checks
                break
            except StepFailedError as error:
                if not error.retry or attempt >= step.max_attempts:
                    raise
        after(step.name)
    return checks


def named(handler: Any, target: TargetRef, name: str) -> StepSpec:
    """Return one step of a handler."""
    return next(step for step in handler.steps(target) if step.name == name)
