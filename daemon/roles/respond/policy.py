"""The operator's settings as the policy that decides (`playbooks/policy.py`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from config.errors import ConfigurationError, Problem
from config.own_logins import own_denials
from config.settings import Settings
from connectors.containment.catalogue import containment_types
from connectors.rotation.catalogue import handler_types
from daemon.reloading_playbooks import LivePlaybooks
from playbooks.denial import Denial
from playbooks.playbook import Playbook
from playbooks.policy import ApproverRef, CapLimits, NotifierRule, Outlook, Policy, Safety, Times
from playbooks.ports import StepSpec
from playbooks.risk import RiskLimits
from playbooks.target import TargetRef

_DAY_S = 86_400.0


def target_refs(settings: Settings) -> tuple[TargetRef, ...]:
    """Return the configured targets as the rooms above `config` see them."""
    return tuple(
        TargetRef(
            target.kind,
            target.mount,
            target.name,
            target.classification,
            target.owner,
            target.named_as,
            target.login,
        )
        for target in settings.response.targets
    )


def containable_refs(settings: Settings) -> tuple[TargetRef, ...]:
    """Return what may be cut off as the rooms above `config` see it."""
    return tuple(
        TargetRef(target.kind, target.mount, target.name, target.classification, target.owner)
        for target in settings.response.containment.targets
    )


def denials_of(settings: Settings) -> tuple[Denial, ...]:
    """Return the deny list: the operator's entries and Davylamp's own logins."""
    return tuple(
        Denial(
            entry.name,
            entry.targets,
            frozenset((kind, name) for kind, _, name in (text.partition(":") for text in entry.entities)),
            frozenset(login.casefold() for login in entry.logins),
        )
        for entry in own_denials(settings)
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
    response, safety = settings.response, settings.response.safety
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
        risk=RiskLimits(**response.risk.model_dump()),
        safety=Safety(**safety.model_dump(exclude={"targets_per_incident"})),
        targets=target_refs(settings),
        containable=containable_refs(settings),
        containment_s=response.containment.duration_s,
        playbooks=playbooks,
        approvers=tuple(ApproverRef(a.name, a.classes, a.aliases) for a in settings.web.approvers),
        own_identities=frozenset(own_identities),
        denials=denials_of(settings),
        freezes=response.freeze_windows,
        notifiers=tuple(NotifierRule(section.name, section.min_level) for section in settings.notify),
        steps_of=steps_of or declared_steps,
        undo_steps_of=declared_undo_steps,
        outlook_of=declared_outlook,
        max_targets_per_incident=safety.targets_per_incident,
    )


def declared_steps(target: TargetRef) -> Sequence[StepSpec]:
    """Return the steps that the catalogue's handler of this kind declares, in order."""
    containment = containment_types().get(target.kind)
    if containment is not None:
        return containment.steps(target)
    handler = handler_types().get(target.kind)
    return handler.STEPS if handler is not None else ()


def declared_undo_steps(target: TargetRef) -> Sequence[StepSpec]:
    """Return the steps that end a containment of this kind; none for any other kind."""
    containment = containment_types().get(target.kind)
    return containment.undo_steps(target) if containment is not None else ()


def declared_outlook(target: TargetRef) -> Outlook | None:
    """Return what the catalogue's handler of this kind says of its best proof and of what stays."""
    handler = containment_types().get(target.kind) or handler_types().get(target.kind)
    return Outlook(handler.best_grade, handler.irreversible) if handler is not None else None


def _check_targets(settings: Settings) -> None:
    """Raise ConfigurationError for targets that are named twice or that nobody can prove."""
    seen: set[str] = set()
    problems: list[Problem] = []
    for index, target in enumerate(settings.response.targets):
        place = f"target {target.name}"
        if target.key in seen:
            problems.append(Problem(place, f"response.targets.{index}", f"{target.key} is named twice"))
        seen.add(target.key)
        for other in settings.response.targets:
            if target.key.startswith(f"{other.key}/"):
                text = f"{target.key} would be taken for an instance of {other.key}"
                problems.append(Problem(place, f"response.targets.{index}", text))
    kinds = containment_types()
    for index, cut in enumerate(settings.response.containment.targets):
        key = f"response.containment.targets.{index}"
        if cut.kind not in kinds:
            problems.append(
                Problem(f"target {cut.name}", f"{key}.kind", f"is no kind (allowed: {', '.join(kinds)})")
            )
        if cut.key in seen:
            problems.append(Problem(f"target {cut.name}", key, f"{cut.key} is named twice"))
        seen.add(cut.key)
    if settings.response.targets and not settings.vault.token.given():
        text = "is required as soon as there are targets; give value or file"
        problems.append(Problem("settings", "vault.token", text))
    if problems:
        raise ConfigurationError(problems)
