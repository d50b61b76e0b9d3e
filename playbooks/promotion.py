"""From verdicts to what happens to an action: it starts, waits, or ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from playbooks.approval import needed
from playbooks.guard import ALWAYS, AUTOMATIC, GuardContext, Verdict, cooldown

Next: TypeAlias = Literal["proposed", "queued", "rejected", "expired", "satisfied"]
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


def _automatic(context: GuardContext) -> list[Verdict]:
    return [guard(context) for guard in AUTOMATIC]


def _approvals(count: int, given: int, context: GuardContext) -> Verdict:
    names = ", ".join(context.tally.approved)
    reason = f"{given} of {count} approvals" + (f": {names}" if names else "")
    return Verdict("approvals", given >= count, reason)


def _line(verdict: Verdict) -> str:
    return f"{verdict.name}: {verdict.reason}"
