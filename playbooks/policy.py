"""What the operator allows, as the pure rooms see it. `daemon/wiring.py` builds it from the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from config.schedules import FreezeWindow
from detectors.level import Level, rank
from playbooks.denial import Denial, denial_of
from playbooks.playbook import Playbook
from playbooks.ports import StepSpec
from playbooks.proof import Grade
from playbooks.risk import RiskLimits
from playbooks.target import DataClass, TargetRef, instance_of

Mode: TypeAlias = Literal["propose", "auto"]
POLICY_VERSION: Final = "1"
ALL_CLASSES: Final[tuple[DataClass, ...]] = ("public", "internal", "confidential", "restricted", "unknown")


@dataclass(frozen=True, slots=True)
class CapLimits:
    """How many automatic actions may start in an hour; `fresh_actor_share` of the site's is kept back."""

    per_actor_hour: int = 2
    per_owner_hour: int = 2
    site_hour: int = 10
    fresh_actor_share: float = 0.25


@dataclass(frozen=True, slots=True)
class Safety:
    """What holds besides the caps: how much of a kind in an hour, how many at once, when a breaker opens."""

    kind_share: float = 0.05
    kind_floor: int = 2
    at_once: int = 2
    breaker_failures: int = 2
    breaker_window_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class Times:
    """Every duration that decides, in seconds. Defaults as in `docs/architecture.md`."""

    cooldown_success_s: float = 1800.0
    cooldown_failure_s: float = 600.0
    freshness_s: float = 86_400.0
    skew_s: float = 60.0
    signals_window_s: float = 3600.0
    drill_s: float = 90 * 86_400.0
    approval_expiry_s: float = 3600.0
    intent_s: float = 60.0
    proposal_page_after_s: float = 5.0


@dataclass(frozen=True, slots=True)
class ApproverRef:
    """A person who may approve actions on targets of `classes`. `aliases` are their other names."""

    name: str
    classes: tuple[DataClass, ...] = ALL_CLASSES
    aliases: tuple[str, ...] = ()

    def is_called(self, name: str) -> bool:
        """Return whether `name` means this person, in any case of letters."""
        return name.casefold() in {text.casefold() for text in (self.name, *self.aliases)}


@dataclass(frozen=True, slots=True)
class NotifierRule:
    """A notifier and the lowest level that it is told of."""

    name: str
    min_level: Level = "high"

    def wants(self, level: Level) -> bool:
        """Return whether an incident of `level` goes to this notifier."""
        return rank(level) >= rank(self.min_level)


def _no_steps(_target: TargetRef) -> Sequence[StepSpec]:
    return ()


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a kind of target can reach: its best proof, and what cannot be taken back (may be empty)."""

    best_grade: Grade
    irreversible: str


def _no_outlook(_target: TargetRef) -> Outlook | None:
    return None


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything that decides besides the findings and the rows.

    `own_identities` are Davylamp's own (entity type, id), for example ("vault_entity", ...).
    `denied` are target keys that are never touched, `denials` entries that name more than a key.
    `containable` is what may be cut off, for `containment_s` seconds. `rule_playbooks` maps a rule id to a
    playbook id and comes after the playbook that a finding's label `playbook` names. `steps_of` gives a
    target's steps (`undo_steps_of` those of a release) and `outlook_of` what they can reach, for the plan
    that people approve.
    """

    site: str = "default"
    mode: Mode = "propose"
    kill_switch: bool = False
    caps: CapLimits = CapLimits()
    times: Times = Times()
    safety: Safety = Safety()
    risk: RiskLimits = field(default_factory=RiskLimits)
    targets: tuple[TargetRef, ...] = ()
    containable: tuple[TargetRef, ...] = ()
    containment_s: float = 14_400.0
    playbooks: Mapping[str, Playbook] = field(default_factory=dict[str, Playbook])
    approvers: tuple[ApproverRef, ...] = ()
    own_identities: frozenset[tuple[str, str]] = frozenset()
    denied: frozenset[str] = frozenset()
    denials: tuple[Denial, ...] = ()
    freezes: tuple[FreezeWindow, ...] = ()
    rule_playbooks: Mapping[str, str] = field(default_factory=dict[str, str])
    notifiers: tuple[NotifierRule, ...] = ()
    steps_of: Callable[[TargetRef], Sequence[StepSpec]] = _no_steps
    undo_steps_of: Callable[[TargetRef], Sequence[StepSpec]] = _no_steps
    outlook_of: Callable[[TargetRef], Outlook | None] = _no_outlook
    max_targets_per_incident: int = 3
    max_pages_per_hour: int = 30
    version: str = POLICY_VERSION

    def approver(self, name: str) -> ApproverRef | None:
        """Return the approver with exactly this name."""
        return next((person for person in self.approvers if person.name == name), None)

    def target(self, key: str) -> TargetRef | None:
        """Return the configured target with this key, or one of its instances."""
        for target in (*self.targets, *self.containable):
            if target.key == key:
                return target
            if key.startswith(f"{target.key}/"):
                return _instance(target, key.removeprefix(f"{target.key}/"))
        return None

    def denial(self, target: TargetRef) -> str | None:
        """Return the entry of the deny list that forbids `target`, or None."""
        if not self.denied.isdisjoint((target.key, target.base_key)):
            return "response.deny"
        return denial_of(target, self.denials, self.own_identities)


def _instance(target: TargetRef, text: str) -> TargetRef | None:
    try:
        return instance_of(target, text)
    except ValueError:
        return None
