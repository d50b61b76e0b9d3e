"""A loaded rule and a loaded correlation, free of pySigma's mutable objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from detectors.event import LogSource, SourceProfile
from detectors.level import Level
from detectors.sigma.condition import Condition

CorrelationKind: TypeAlias = Literal[
    "event_count",
    "temporal",
    "temporal_ordered",
    "value_avg",
    "value_count",
    "value_median",
    "value_percentile",
    "value_sum",
]
Operator: TypeAlias = Literal["gt", "gte", "lt", "lte", "eq", "neq"]


@dataclass(frozen=True, slots=True)
class Seen:
    """A match of the listed rule at `place` (from 0)."""

    place: int


@dataclass(frozen=True, slots=True)
class AllOf:
    """All parts."""

    parts: tuple[Required, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One part."""

    parts: tuple[Required, ...]


@dataclass(frozen=True, slots=True)
class NoneOf:
    """Not the part."""

    part: Required


Required: TypeAlias = Seen | AllOf | AnyOf | NoneOf
"""What a temporal correlation wants to have seen, over its listed rules."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What rules and correlations share. `id` is a UUID as text, `line` is 1-based.

    `attack` holds ATT&CK technique ids (``T1552.007``), `tags` every tag as written. `version` is the
    rule's major version and part of each finding's id; `playbook` the page for the person on call.
    """

    id: str
    name: str | None
    title: str
    description: str
    level: Level
    attack: tuple[str, ...]
    tags: tuple[str, ...]
    falsepositives: tuple[str, ...]
    references: tuple[str, ...]
    version: int
    playbook: str | None
    path: str
    line: int | None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `quiet`: only feeds correlations, makes no findings of its own."""

    identity: Identity
    logsource: LogSource
    condition: Condition
    quiet: bool = False

    @property
    def id(self) -> str:
        """The rule's id."""
        return self.identity.id


@dataclass(frozen=True, slots=True)
class CorrelationRule:
    """One correlation. `rules` are ids of rules and of other correlations, `timespan_s` seconds.

    `fields` has for each of `rules` the fields that make the group, in the order of `group_by`, then those
    of `carried`: what a correlation of this one asks for beside the group. `op` and `count` are what must
    hold, `more` further bounds of a range. `value` are the fields that a value_* correlation looks at,
    `percentile` is 0 to 100, `required` the expression of a temporal one (None: all rules). `names` is
    (alias, rule) -> field. `quiet`: only feeds other correlations.
    """

    identity: Identity
    kind: CorrelationKind
    rules: tuple[str, ...]
    group_by: tuple[str, ...]
    fields: Mapping[str, tuple[str, ...]]
    timespan_s: float
    op: Operator
    count: float
    generate: bool
    value: tuple[str, ...] = ()
    percentile: int | None = None
    required: Required | None = None
    more: tuple[tuple[Operator, float], ...] = ()
    carried: tuple[str, ...] = ()
    names: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    quiet: bool = False

    @property
    def bounds(self) -> tuple[tuple[Operator, float], ...]:
        """All bounds of the condition."""
        return (self.op, self.count), *self.more

    @property
    def id(self) -> str:
        """The correlation's id."""
        return self.identity.id


def routes(logsource: LogSource, profile: SourceProfile) -> bool:
    """Return whether a rule's log source means events of `profile`.

    Every key that the rule gives must agree with one of the profile's log sources; keys that the rule
    leaves out match anything (Sigma appendix, log sources). A key that the profile leaves out agrees with
    no rule that gives it: a rule for `product: aws` is none for `category: webserver`.
    """
    return any(_agrees(logsource, offered) for offered in profile.logsources)


def routed(rules: Iterable[Rule], profile: SourceProfile) -> list[Rule]:
    """Return the rules whose log source means events of `profile`, in their order."""
    known: dict[LogSource, bool] = {}
    out: list[Rule] = []
    for rule in rules:
        means = known.get(rule.logsource)
        if means is None:
            means = known[rule.logsource] = routes(rule.logsource, profile)
        if means:
            out.append(rule)
    return out


def same_rule(old: Rule, new: Rule) -> bool:
    """Return whether two rules of two loads are made of the same parts: nothing of them was loaded anew."""
    same = old.identity is new.identity and old.condition is new.condition
    return old is new or (same and old.quiet == new.quiet and old.logsource == new.logsource)


def _agrees(wanted: LogSource, offered: LogSource) -> bool:
    return all(
        want is None or (have is not None and want.casefold() == have.casefold())
        for want, have in zip(wanted, offered, strict=True)
    )
