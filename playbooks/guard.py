"""The guards of an action: each looks at one thing and says passed or not, why, and what that means.

A guard that fails with `hold` keeps the action waiting; with `propose` it takes away the automatic start,
so that a person decides; `satisfied`, `expired` and `reject` end it. Source: `docs/architecture.md`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from detectors.event import Fields
from detectors.finding import rfc3339
from playbooks.approval import Asked, Tally
from playbooks.containment import CONTAIN
from playbooks.playbook import Playbook
from playbooks.policy import Policy
from playbooks.schedule import concerns, scheduled
from playbooks.target import TargetRef

Effect: TypeAlias = Literal["hold", "propose", "satisfied", "expired", "reject"]
HOUR_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one guard said. `effect` is what a failure means; it says nothing when `passed`.

    `people` is how many must agree before such a failure is passed over.
    """

    name: str
    passed: bool
    reason: str
    effect: Effect = "hold"
    people: int = 1

    def to_json(self) -> Fields:
        """Return the verdict as it is kept beside the action."""
        return {"name": self.name, "passed": self.passed, "reason": self.reason, "effect": self.effect}


@dataclass(frozen=True, slots=True)
class TargetState:
    """A target's row: epoch, and times in seconds (UTC); `drill_passed_at` is the last good drill."""

    epoch: int = 0
    rotated_at: float | None = None
    last_success_at: float | None = None
    last_failure_at: float | None = None
    drill_passed_at: float | None = None


@dataclass(frozen=True, slots=True)
class Recent:
    """Automatic actions of the last hour. `seen` lists which of this action's actors are in the storm."""

    by_actor: Mapping[str, int] = field(default_factory=dict[str, int])
    by_owner: int = 0
    site: int = 0
    seen: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class GuardContext:
    """Everything that the guards may look at, read in the transaction that moves the action.

    `mode_of_action`: contain (the old credential dead first) or orderly. `at_work` counts other actions that
    a worker holds or that wait for one; `kind_targets` other targets of this kind acted on in the last hour,
    of `kind_size` configured ones; `siblings` are the states of the incident's other actions on this kind;
    `failures` those of the verb that its breaker counts.
    """

    now: float
    policy: Policy
    playbook: Playbook | None
    target: TargetRef | None
    target_key: str
    asked: Asked
    tally: Tally
    drill: bool
    epoch: int
    trigger_time: float
    actors: tuple[str, ...]
    state: TargetState
    engaged: frozenset[str] = frozenset()
    signals: tuple[str, ...] = ()
    busy: str | None = None
    recent: Recent = Recent()
    targets_of_incident: int = 1
    mode_of_action: Literal["contain", "orderly"] = "contain"
    at_work: int = 0
    kind_targets: int = 0
    kind_size: int = 1
    siblings: tuple[str, ...] = ()
    failures: int = 0

    @property
    def routine(self) -> bool:
        """Whether a schedule asked for it: then it needs neither signals nor a fresh event."""
        return scheduled(self.asked.requester)


def kill_switch(context: GuardContext) -> Verdict:
    """Nothing starts while the switch is engaged, for all or for the verb."""
    names = {"all", f"verb:{context.asked.verb}"} & context.engaged
    if context.policy.kill_switch:
        names = names | {"configuration"}
    reason = f"engaged: {', '.join(sorted(names))}" if names else "not engaged"
    return Verdict("kill_switch", not names, reason)


def configured(context: GuardContext) -> Verdict:
    """The target is still configured, with the class and the owner that the plan names."""
    target = context.target
    if target is None:
        return Verdict("configured", False, "the target is no longer configured", "reject")
    return Verdict("configured", True, f"class {target.classification}, owner {target.owner}")


def deny_list(context: GuardContext) -> Verdict:
    """Davylamp never touches what it stands on, nor what the operator says; the entry is named."""
    keys = {context.target_key, context.target.base_key if context.target else context.target_key}
    entry = None if context.policy.denied.isdisjoint(keys) else "response.deny"
    if entry is None and context.target is not None:
        entry = context.policy.denial(context.target)
    reason = f"on the deny list: {entry}" if entry else "not on the deny list"
    return Verdict("deny_list", entry is None, reason, "reject")


def rejected(context: GuardContext) -> Verdict:
    """Nobody who may say no has said no."""
    names = ", ".join(context.tally.rejected)
    return Verdict("rejected", not names, f"rejected by {names}" if names else "nobody rejected it", "reject")


def epoch(context: GuardContext) -> Verdict:
    """A credential that was rotated after the finding's event is not rotated again for it."""
    rotated_at = context.state.rotated_at
    if context.drill or rotated_at is None or context.trigger_time >= rotated_at:
        return Verdict("epoch", True, "the credential has not changed since")
    if context.trigger_time < rotated_at - context.policy.times.skew_s:
        return Verdict("epoch", False, f"the credential was rotated at {rfc3339(rotated_at)}", "satisfied")
    margin = f"{context.policy.times.skew_s:.0f} s"
    return Verdict(
        "epoch", False, f"rotated at {rfc3339(rotated_at)}, within {margin} of the event", "propose"
    )


def expiry(context: GuardContext) -> Verdict:
    """A proposal that nobody decided about ends."""
    expires_at = context.asked.expires_at
    if expires_at is None:
        return Verdict("expiry", True, "does not expire", "expired")
    return Verdict("expiry", context.now < expires_at, f"expires at {rfc3339(expires_at)}", "expired")


def one_at_a_time(context: GuardContext) -> Verdict:
    """One action a target at a time."""
    reason = f"action {context.busy} is at work on it" if context.busy else "no other action is at work on it"
    return Verdict("one_at_a_time", context.busy is None, reason)


def concurrency(context: GuardContext) -> Verdict:
    """Few actions at a time."""
    limit = context.policy.safety.at_once
    reason = f"{context.at_work} others are at work, {limit} may be at one time"
    return Verdict("concurrency", context.at_work < limit, reason)


def freeze(context: GuardContext) -> Verdict:
    """A freeze window leaves an owner's or a target's things alone; two people may contain all the same."""
    target = context.target
    held = [
        (until, window.name)
        for window in context.policy.freezes
        if target is not None
        and concerns(window, target)
        and (until := window.until(context.now)) is not None
    ]
    if not held:
        return Verdict("freeze", True, "no freeze window holds")
    until, name = max(held)
    reason = f"frozen by {name} until {rfc3339(until)}"
    if context.mode_of_action == "contain" and not context.drill and not context.routine:
        return Verdict("freeze", False, f"{reason}; two people may override", "propose", people=2)
    return Verdict("freeze", False, reason)


def breaker(context: GuardContext) -> Verdict:
    """A verb that failed lately is not trusted to start by itself until its breaker is closed."""
    safety, failures = context.policy.safety, context.failures
    reason = f"{failures} failures of {context.asked.verb} in {safety.breaker_window_s:.0f} s"
    closed = failures < safety.breaker_failures
    return Verdict("breaker", closed, reason if closed else f"{reason}: its breaker is open", "propose")


def kind_share(context: GuardContext) -> Verdict:
    """A small share of a kind's targets in an hour, and a few always."""
    safety = context.policy.safety
    limit = max(safety.kind_floor, math.floor(safety.kind_share * context.kind_size))
    number = context.kind_targets + 1
    reason = f"{number} of at most {limit} targets of this kind in an hour ({context.kind_size} configured)"
    return Verdict("kind_share", number <= limit, reason, "propose")


def canary(context: GuardContext) -> Verdict:
    """Of several targets the first is proven before the next begins by itself."""
    unproven = [state for state in context.siblings if state != "succeeded"]
    reason = (
        f"another action of this incident is {unproven[0]}" if unproven else "nothing before it is unproven"
    )
    return Verdict("canary", not unproven, reason, "propose")


def blast_radius(context: GuardContext) -> Verdict:
    """One incident reaches few targets by itself."""
    limit = context.policy.max_targets_per_incident
    reason = f"{context.targets_of_incident} of at most {limit} targets in this incident"
    return Verdict("blast_radius", context.targets_of_incident <= limit, reason, "propose")


def cooldown(context: GuardContext) -> Verdict:
    """A target rests after a rotation, shorter after a failure. Drills do not tire it."""
    times, state = context.policy.times, context.state
    until = max(
        (state.last_success_at or float("-inf")) + times.cooldown_success_s,
        (state.last_failure_at or float("-inf")) + times.cooldown_failure_s,
    )
    if context.now >= until:
        return Verdict("cooldown", True, "the target has rested")
    return Verdict("cooldown", False, f"the target rests until {rfc3339(until)}", "propose")


def mode(context: GuardContext) -> Verdict:
    """Both the settings and the playbook opt in to acting without a click. Containments never do."""
    playbook = context.playbook
    if context.asked.verb == CONTAIN:
        return Verdict("mode", False, "containment is only proposed", "propose")
    if context.policy.mode != "auto":
        return Verdict("mode", False, "the settings say propose", "propose")
    if context.routine:
        return Verdict("mode", True, "the settings say auto, and a schedule asks")
    if playbook is None or playbook.auto.mode != "auto":
        return Verdict("mode", False, "the playbook says propose", "propose")
    return Verdict("mode", True, "settings and playbook say auto")


def drill(context: GuardContext) -> Verdict:
    """The target passed a drill not long ago."""
    passed_at, times = context.state.drill_passed_at, context.policy.times
    if passed_at is None:
        return Verdict("drill", False, "the target has never passed a drill", "propose")
    good = context.now - passed_at <= times.drill_s
    return Verdict("drill", good, f"last passed at {rfc3339(passed_at)}", "propose")


def two_signals(context: GuardContext) -> Verdict:
    """Independent sources agree on who it is."""
    if context.routine:
        return Verdict("two_signals", True, "a schedule needs none")
    wanted = context.playbook.auto.signals if context.playbook else 2
    sources = context.signals
    reason = f"{len(sources)} of {wanted} sources agree: {', '.join(sources) or 'none'}"
    return Verdict("two_signals", len(sources) >= wanted, reason, "propose")


def freshness(context: GuardContext) -> Verdict:
    """The event is not an old story."""
    if context.routine:
        return Verdict("freshness", True, f"due at {rfc3339(context.trigger_time)}, and once is enough")
    fresh = context.now - context.trigger_time <= context.policy.times.freshness_s
    return Verdict("freshness", fresh, f"the event happened at {rfc3339(context.trigger_time)}", "propose")


def caps(context: GuardContext) -> Verdict:
    """Few automatic actions an hour: by actor, by owner, at the site; a share is kept for fresh actors."""
    if context.routine:
        return Verdict("caps", True, "a routine rotation is paced by its kind's share")
    limits, recent = context.policy.caps, context.recent
    for actor in context.actors:
        if recent.by_actor.get(actor, 0) >= limits.per_actor_hour:
            return Verdict("caps", False, f"{limits.per_actor_hour} an hour for one actor", "propose")
    if recent.by_owner >= limits.per_owner_hour:
        return Verdict("caps", False, f"{limits.per_owner_hour} an hour for one owner", "propose")
    kept = round(limits.site_hour * limits.fresh_actor_share) if recent.seen or not context.actors else 0
    if recent.site >= limits.site_hour - kept:
        reason = f"{limits.site_hour} an hour at the site, {kept} of them kept for actors not seen in it"
        return Verdict("caps", False, reason, "propose")
    return Verdict("caps", True, f"{recent.site} of {limits.site_hour} in the last hour")


Guard: TypeAlias = Callable[[GuardContext], Verdict]
ALWAYS: Final[tuple[Guard, ...]] = (
    configured,
    deny_list,
    rejected,
    epoch,
    expiry,
    kill_switch,
    one_at_a_time,
    concurrency,
    freeze,
)
AUTOMATIC: Final[tuple[Guard, ...]] = (
    mode,
    drill,
    two_signals,
    freshness,
    cooldown,
    caps,
    blast_radius,
    kind_share,
    canary,
    breaker,
)
