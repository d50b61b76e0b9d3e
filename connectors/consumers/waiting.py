"""One look of an orderly rotation at its consumers: go on, wait, or leave it to a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from config.consumers import ConsumerEntry
from playbooks.consumers import Sighting
from playbooks.convergence import Convergence, few
from playbooks.ports import StepContext, StepFailedError, StepResult
from playbooks.proof import Check


@dataclass(frozen=True, slots=True)
class Wait:
    """What is waited for. `since` is when the new credential was given out (seconds, UTC), `window_s` how
    long nobody may be on the old one, `wait_s` how long it is waited at most; `observer` says who looked,
    `left_alive` what a person finds when the time is over.
    """

    since: float
    window_s: float
    wait_s: float
    observer: str
    left_alive: str


def looked(
    context: StepContext, seen: Sequence[Sighting], entries: Sequence[ConsumerEntry], wait: Wait
) -> StepResult:
    """Return the step's result when all have moved, or when people agreed to cut off whoever has not.

    Else raises StepFailedError: to look again, or (`person`) when the time is over. Who was cut off makes
    no check: the proof does not say that they moved.
    """
    known = Convergence.from_json(context.kept or _learned(context))
    now = context.now()
    known.look(seen, entries, since=wait.since, now=now, window_s=wait.window_s)
    left, kept = known.left, known.to_json()
    count = f"{known.moved} of {len(known.consumers)} seen with the new one"
    quiet = known.clear_since is not None and known.clear_s(now) >= wait.window_s
    if not left and quiet:
        check = Check("consumers", True, known.looks, wait.since, now, wait.observer, count)
        note = f"{count}, nobody on the old one for {known.clear_s(now):.0f} s"
        return StepResult({"consumers": kept}, [check], note)
    if left and left.keys() <= context.forced:
        return StepResult({"consumers": kept}, note=f"cut off, as people agreed: {few(left)}")
    check = Check("consumers", False, known.looks, wait.since, now, wait.observer, count)
    waited = now - wait.since
    late = few(left) if left else f"nobody on the old one, not yet for {wait.window_s:.0f} s"
    if waited < wait.wait_s:
        reason = f"waiting for {late}"
        raise StepFailedError(reason, retry=True, unavailable="consumers", checks=[check], kept=kept)
    reason = f"after {waited:.0f} s: {late}; {wait.left_alive}"
    raise StepFailedError(reason, retry=False, checks=[check], kept=kept, person=True)


def _learned(context: StepContext) -> dict[str, object]:
    found = context.state.get("consumers")
    return dict(found) if isinstance(found, dict) else {}
