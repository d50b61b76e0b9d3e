"""pySigma's rule objects as Davylamp's; whatever cannot be kept exactly is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from sigma.correlations import (
    SigmaCorrelationCondition,
    SigmaCorrelationRule,
    SigmaCorrelationType,
    SigmaRuleReference,
)
from sigma.rule import SigmaRule, SigmaRuleBase  # pyright: ignore[reportMissingTypeStubs]

from detectors.event import LogSource
from detectors.level import parse_level
from detectors.sigma.condition import either, from_sigma
from detectors.sigma.document import MalformedRuleError, UnsupportedConstructError
from detectors.sigma.predicate import compile_predicate
from detectors.sigma.rule import CorrelationKind, CorrelationRule, Identity, Operator, Rule

DEFAULT_LEVEL: Final = "medium"
KINDS: Final[dict[SigmaCorrelationType, CorrelationKind]] = {
    SigmaCorrelationType.EVENT_COUNT: "event_count",
    SigmaCorrelationType.TEMPORAL_ORDERED: "temporal_ordered",
}


def rule(parsed: SigmaRule, path: str, line: int | None) -> Rule:
    """Return one rule; its predicate is compiled once here, so that a refusal comes at load time.

    Raises SigmaRuleError.
    """
    condition = either([from_sigma(item.parsed) for item in parsed.detection.parsed_condition])
    compile_predicate(condition, {})
    source = parsed.logsource
    logsource = LogSource(source.product, source.service, source.category)
    return Rule(_identity(parsed, path, line), logsource, condition)


def correlation(
    parsed: SigmaCorrelationRule, ids: Mapping[str, str], path: str, line: int | None
) -> CorrelationRule:
    """Return one correlation. `ids` resolves rule names and ids to ids of loaded plain rules.

    Raises SigmaRuleError for a kind that is not evaluated, an unknown or chained rule.
    """
    kind = KINDS.get(parsed.type)
    if kind is None:
        raise UnsupportedConstructError(
            f"correlation type {str(parsed.type.name).lower()} is not evaluated yet",
            f"Use one of {', '.join(sorted(KINDS.values()))}",
            str(parsed.type.name).lower(),
        )
    condition = parsed.condition
    if not isinstance(condition, SigmaCorrelationCondition):
        raise UnsupportedConstructError(
            "a correlation condition written as an expression is not evaluated yet",
            "List the rules and leave the condition out",
            "condition",
        )
    rules = tuple(_resolved(reference, ids) for reference in parsed.rules or ())
    if kind == "temporal_ordered":
        _check_ordered(condition, len(rules))
    group_by = tuple(parsed.group_by or ())
    return CorrelationRule(
        identity=_identity(parsed, path, line),
        kind=kind,
        rules=rules,
        group_by=group_by,
        fields=_fields(parsed, group_by, rules, ids),
        timespan_s=float(parsed.timespan.seconds),
        op=cast(Operator, str(condition.op.name).lower()),
        count=condition.count,
        generate=parsed.generate,
    )


def _check_ordered(condition: SigmaCorrelationCondition, rules: int) -> None:
    op = str(condition.op.name).lower()
    if rules < 2:
        raise MalformedRuleError("temporal_ordered needs at least two rules", "List them in order", "rules")
    if (op, condition.count) not in {("gte", rules), ("eq", rules), ("gt", rules - 1)}:
        raise UnsupportedConstructError(
            f"temporal_ordered with the condition {op} {condition.count} of {rules} rules is not evaluated",
            "Leave the condition out: every listed rule in its order",
            "condition",
        )


def _resolved(reference: SigmaRuleReference, ids: Mapping[str, str]) -> str:
    found = ids.get(str(reference.reference))
    if found is None:
        raise MalformedRuleError(
            f"the correlation refers to {reference.reference!r}, which is no loaded rule",
            "Name a plain rule (by id or name) that loads; correlations of correlations are not evaluated",
            str(reference.reference),
        )
    return found


def _fields(
    parsed: SigmaCorrelationRule, group_by: tuple[str, ...], rules: tuple[str, ...], ids: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    mapped: dict[tuple[str, str], str] = {}
    for alias in parsed.aliases:
        for reference, name in alias.mapping.items():
            mapped[alias.alias, _resolved(reference, ids)] = name
    return {rule: tuple(mapped.get((key, rule), key) for key in group_by) for rule in rules}


def _identity(parsed: SigmaRuleBase, path: str, line: int | None) -> Identity:
    if parsed.id is None:
        raise MalformedRuleError("the rule has no id", "Add `id:` with a new UUID")
    version, playbook = _custom(parsed.custom_attributes.get("davylamp"))
    level = DEFAULT_LEVEL if parsed.level is None else str(parsed.level.name).lower()
    tags = tuple(f"{tag.namespace}.{tag.name}" for tag in parsed.tags)
    techniques = [tag.name.upper() for tag in parsed.tags if tag.namespace == "attack"]
    return Identity(
        id=str(parsed.id),
        name=parsed.name,
        title=parsed.title,
        description=parsed.description or "",
        level=parse_level(level),
        attack=tuple(name for name in techniques if name[:1] == "T" and name[1:2].isdigit()),
        tags=tags,
        falsepositives=tuple(str(item) for item in parsed.falsepositives),
        references=tuple(str(item) for item in parsed.references),
        version=version,
        playbook=playbook,
        path=path,
        line=line,
    )


def _custom(value: object) -> tuple[int, str | None]:
    """Return version and playbook of the custom field ``davylamp: {playbook, version}``."""
    if value is None:
        return 1, None
    if not isinstance(value, dict):
        raise MalformedRuleError("`davylamp` is no mapping", "Write {playbook: ID, version: 1}", "davylamp")
    given = cast("dict[str, object]", value)
    if unknown := set(given) - {"playbook", "version"}:
        names = ", ".join(sorted(map(str, unknown)))
        raise MalformedRuleError(f"`davylamp` has unknown keys: {names}", "Use playbook, version", "davylamp")
    version, playbook = given.get("version", 1), given.get("playbook")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise MalformedRuleError(
            "`davylamp.version` is no whole number from 1", "Write version: 1", "version"
        )
    if playbook is not None and not isinstance(playbook, str):
        raise MalformedRuleError("`davylamp.playbook` is no text", "Name a playbook", "playbook")
    return version, playbook
