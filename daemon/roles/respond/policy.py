"""The operator's settings as the policy that decides (`playbooks/policy.py`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from config.errors import ConfigurationError, Problem
from config.settings import Settings
from connectors.rotation.catalogue import handler_types
from daemon.reloading_playbooks import LivePlaybooks
from playbooks.playbook import Playbook
from playbooks.policy import ApproverRef, CapLimits, NotifierRule, Policy, Times
from playbooks.ports import StepSpec
from playbooks.target import TargetRef

_DAY_S = 86_400.0


def target_refs(settings: Settings) -> tuple[TargetRef, ...]:
    """Return the configured targets as the rooms above `config` see them."""
    return tuple(
        TargetRef(target.kind, target.mount, target.name, target.classification, target.owner)
        for target in settings.response.targets
    )


def policy_of(
    settings: Settings,
    own_identities: Iterable[tuple[str, str]] = (),
    steps_of: Callable[[TargetRef], Sequence[StepSpec]] | None = None,
    playbooks: Mapping[str, Playbook] | None = None,
) -> Policy:
    """Return the policy. `own_identities` are Davylamp's own (entity type, id) in the vault.

    `steps_of` gives the steps of a target for the plan that people approve; without it the steps that
    the catalogue declares; `playbooks` those that were loaded already. Raises ConfigurationError for
    playbooks and targets that are wrong.
    """
    _check_targets(settings)
    response = settings.response
    if playbooks is None:
        playbooks = LivePlaybooks(response).now
    return Policy(
        site=settings.site,
        mode=response.mode,
        kill_switch=response.kill_switch,
        caps=CapLimits(**response.caps.model_dump()),
        times=Times(
            cooldown_success_s=response.cooldown_success_s,
            cooldown_failure_s=response.cooldown_failure_s,
            freshness_s=response.freshness_s,
            skew_s=response.skew_s,
            signals_window_s=response.signals_window_s,
            drill_s=response.drill_days * _DAY_S,
            approval_expiry_s=response.approval_expiry_s,
        ),
        targets=target_refs(settings),
        playbooks=playbooks,
        approvers=tuple(ApproverRef(a.name, a.classes, a.aliases) for a in settings.web.approvers),
        own_identities=frozenset(own_identities),
        notifiers=tuple(NotifierRule(section.name, section.min_level) for section in settings.notify),
        steps_of=steps_of or declared_steps,
    )


def declared_steps(target: TargetRef) -> Sequence[StepSpec]:
    """Return the steps that the catalogue's handler of this kind declares, in order."""
    handler = handler_types().get(target.kind)
    return handler.STEPS if handler is not None else ()


def _check_targets(settings: Settings) -> None:
    """Raise ConfigurationError for targets that are named twice or that nobody can prove."""
    seen: set[str] = set()
    problems: list[Problem] = []
    for index, target in enumerate(settings.response.targets):
        place = f"target {target.name}"
        if target.key in seen:
            problems.append(Problem(place, f"response.targets.{index}", f"{target.key} is named twice"))
        seen.add(target.key)
    if settings.response.targets and not settings.vault.token.given():
        text = "is required as soon as there are targets; give value or file"
        problems.append(Problem("settings", "vault.token", text))
    if problems:
        raise ConfigurationError(problems)
