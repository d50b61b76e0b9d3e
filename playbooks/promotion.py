"""From verdicts to what happens to an action: it starts, waits, or ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from playbooks.approval import Tally, needed
from playbooks.containment import CONTAIN
from playbooks.guard import ALWAYS, AUTOMATIC, GuardContext, Verdict, cooldown

SHADOW: Final = "shadow"
Next: TypeAlias = Literal["proposed", "queued", "rejected", "expired", "satisfied"]
WAITED_FOR: Final = frozenset({"cooldown", "kind_share"})
_ENDS: Final[tuple[tuple[str, Next], ...]] = (
    ("satisfied", "satisfied"),
    ("reject", "rejected"),
    ("expired", "expired"),
)


@dataclass(frozen=True, slots=True)
class Promotion:
    """What happens next. `auto`: it starts without a click. `needed` and `given` count approvals."""

    state: Next
    auto: bool
    needed: int
    given: int
    reason: str
    verdicts: tuple[Verdict, ...]

    @property
    def over_cap(self) -> bool:
        """Whether only a person can start it because a cap is spent: that is paged at once."""
        return any(verdict.name == "caps" and not verdict.passed for verdict in self.verdicts)


def judge(context: GuardContext) -> Promotion:
    """Evaluate every guard and say what happens next."""
    verdicts = [guard(context) for guard in ALWAYS]
    verdicts += [replace(cooldown(context), effect="hold")] if context.drill else _automatic(context)
    failed = [verdict for verdict in verdicts if not verdict.passed]
    doubtful = any(verdict.effect == "propose" for verdict in failed)
    count = needed(context.asked.classification, context.asked.verb, proposing=doubtful)
    count = max([count, *(verdict.people for verdict in failed if verdict.effect == "propose")])
    given = len(context.tally.approved)
    verdicts.append(_approvals(count, given, context))
    for effect, state in _ENDS:
        for verdict in failed:
            if verdict.effect == effect:
                return Promotion(state, False, count, given, _line(verdict), tuple(verdicts))
    holding = [verdict for verdict in failed if verdict.effect == "hold"]
    if not holding and given >= count:
        reason = "approved" if count else "a drill" if context.drill else "every guard passed"
        automatic = count == 0 and not context.drill
        return Promotion("queued", automatic, count, given, reason, tuple(verdicts))
    why = holding or [verdict for verdict in verdicts if not verdict.passed]
    return Promotion("proposed", False, count, given, "; ".join(map(_line, why)), tuple(verdicts))


def would_start(context: GuardContext) -> bool:
    """Return whether the action would start by itself if settings and playbook said auto (shadow mode).

    What people have said about it is left out, and so is what they must say: a class that needs approvals
    never starts by itself.
    """
    if context.drill or context.asked.verb == CONTAIN or context.playbook is None:
        return False
    opted = context.playbook.model_copy(
        update={"auto": context.playbook.auto.model_copy(update={"mode": "auto"})}
    )
    policy = replace(context.policy, mode="auto")
    outcome = judge(replace(context, policy=policy, playbook=opted, tally=Tally((), (), ())))
    return outcome.state == "queued" and outcome.auto


def _automatic(context: GuardContext) -> list[Verdict]:
    """Return the guards of an automatic start. A routine rotation waits for its turn by itself."""
    verdicts = [guard(context) for guard in AUTOMATIC]
    if not context.routine:
        return verdicts
    return [replace(one, effect="hold") if one.name in WAITED_FOR else one for one in verdicts]


def _approvals(count: int, given: int, context: GuardContext) -> Verdict:
    names = ", ".join(context.tally.approved)
    reason = f"{given} of {count} approvals" + (f": {names}" if names else "")
    return Verdict("approvals", given >= count, reason)


def _line(verdict: Verdict) -> str:
    return f"{verdict.name}: {verdict.reason}"
