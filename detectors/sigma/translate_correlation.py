"""pySigma's correlations as Davylamp's; whatever cannot be kept exactly is refused by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast

from sigma.correlations import (
    CorrelationConditionAND,
    CorrelationConditionItem,
    CorrelationConditionNOT,
    CorrelationConditionOR,
    SigmaCorrelationCondition,
    SigmaCorrelationRule,
    SigmaCorrelationType,
    SigmaExtendedCorrelationCondition,
    SigmaRuleReference,
)

from detectors.sigma.document import MalformedRuleError, UnsupportedConstructError
from detectors.sigma.rule import (
    AllOf,
    AnyOf,
    CorrelationKind,
    CorrelationRule,
    NoneOf,
    Operator,
    Required,
    Seen,
)
from detectors.sigma.translate import identity

KINDS: Final[dict[SigmaCorrelationType, CorrelationKind]] = {
    SigmaCorrelationType.EVENT_COUNT: "event_count",
    SigmaCorrelationType.TEMPORAL: "temporal",
    SigmaCorrelationType.TEMPORAL_ORDERED: "temporal_ordered",
    SigmaCorrelationType.VALUE_AVG: "value_avg",
    SigmaCorrelationType.VALUE_COUNT: "value_count",
    SigmaCorrelationType.VALUE_MEDIAN: "value_median",
    SigmaCorrelationType.VALUE_PERCENTILE: "value_percentile",
    SigmaCorrelationType.VALUE_SUM: "value_sum",
}


def correlation(
    parsed: SigmaCorrelationRule, ids: Mapping[str, str], path: str, line: int | None
) -> CorrelationRule:
    """Return one correlation. `ids` resolves rule names and ids to ids of loaded plain rules.

    Raises SigmaRuleError for what is not evaluated, an unknown or chained rule.
    """
    kind = KINDS[parsed.type]
    condition = parsed.condition
    names = _names(parsed)
    rules = tuple(_resolved(name, ids) for name in names)
    op, count, value, percentile = "gte", len(rules), (), None
    required: Required | None = None
    if isinstance(condition, SigmaCorrelationCondition):
        op, count = str(condition.op.name).lower(), condition.count
        value, percentile = _value(kind, condition)
        if kind in ("temporal", "temporal_ordered"):
            _check_all(kind, op, count, len(rules))
    elif kind == "temporal":
        required = _required(condition.parsed, {name: place for place, name in enumerate(names)})
    else:
        raise UnsupportedConstructError(
            "an expression as the condition of temporal_ordered is not evaluated",
            "List the rules in order and leave the condition out, or use temporal",
            "condition",
        )
    group_by = tuple(parsed.group_by or ())
    return CorrelationRule(
        identity=identity(parsed, path, line),
        kind=kind,
        rules=rules,
        group_by=group_by,
        fields=_fields(parsed, group_by, rules, ids),
        timespan_s=float(parsed.timespan.seconds),
        op=cast(Operator, op),
        count=count,
        generate=parsed.generate,
        value=value,
        percentile=percentile,
        required=required,
    )


def _names(parsed: SigmaCorrelationRule) -> list[str]:
    """Return the references: the list of rules, or those that an expression names."""
    if parsed.rules:
        return [str(reference.reference) for reference in parsed.rules]
    if isinstance(parsed.condition, SigmaExtendedCorrelationCondition):
        return parsed.condition.get_referenced_rules()
    return []


def _value(kind: CorrelationKind, condition: SigmaCorrelationCondition) -> tuple[tuple[str, ...], int | None]:
    """Return the fields and the percentile of a value_* correlation. Raises SigmaRuleError."""
    if not kind.startswith("value_"):
        return (), None
    given = condition.fieldref
    names = (given,) if isinstance(given, str) else tuple(given or ())
    if len(names) > 1 and kind != "value_count":
        raise MalformedRuleError(f"{kind} looks at one field, not {len(names)}", "Name one field", "field")
    percentile = condition.percentile
    if kind != "value_percentile":
        return names, None
    if percentile is None or not 0 <= percentile <= 100:
        raise MalformedRuleError(
            "value_percentile needs a percentile from 0 to 100", "Write percentile: 95", "condition"
        )
    return names, percentile


def _check_all(kind: CorrelationKind, op: str, count: int, rules: int) -> None:
    if rules < 2:
        raise MalformedRuleError(f"{kind} needs at least two rules", "List them", "rules")
    if (op, count) not in {("gte", rules), ("eq", rules), ("gt", rules - 1)}:
        raise UnsupportedConstructError(
            f"{kind} with the condition {op} {count} of {rules} rules is not evaluated",
            "Leave the condition out: every listed rule; or write an expression over their names",
            "condition",
        )


def _required(node: CorrelationConditionItem | SigmaRuleReference, places: Mapping[str, int]) -> Required:
    if isinstance(node, SigmaRuleReference):
        return Seen(places[str(node.reference)])
    parts: Sequence[Required] = tuple(_required(part, places) for part in node.args)
    if isinstance(node, CorrelationConditionNOT):
        return NoneOf(parts[0])
    if isinstance(node, CorrelationConditionOR):
        return AnyOf(tuple(parts))
    if isinstance(node, CorrelationConditionAND):
        return AllOf(tuple(parts))
    raise UnsupportedConstructError(
        f"the condition has a {type(node).__name__}", "Use and, or, not and parentheses", "condition"
    )


def _resolved(name: str, ids: Mapping[str, str]) -> str:
    found = ids.get(name)
    if found is None:
        raise MalformedRuleError(
            f"the correlation refers to {name!r}, which is no loaded rule",
            "Name a plain rule (by id or name) that loads; correlations of correlations are not evaluated",
            name,
        )
    return found


def _fields(
    parsed: SigmaCorrelationRule, group_by: tuple[str, ...], rules: tuple[str, ...], ids: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    mapped: dict[tuple[str, str], str] = {}
    for alias in parsed.aliases:
        for reference, name in alias.mapping.items():
            mapped[alias.alias, _resolved(str(reference.reference), ids)] = name
    return {rule: tuple(mapped.get((key, rule), key) for key in group_by) for rule in rules}
