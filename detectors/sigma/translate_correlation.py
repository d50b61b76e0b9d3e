"""pySigma's correlations as Davylamp's; whatever cannot be kept exactly is refused by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

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

from detectors.sigma.chaining import check_values, in_order
from detectors.sigma.correlation_bounds import Bounds, bounds
from detectors.sigma.document import MalformedRuleError, SigmaRuleError, UnsupportedConstructError
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
from detectors.sigma.temporal_ordered import TooManyAlternativesError, alternatives
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
P = TypeVar("P")
NONE_LOADED: Final[Mapping[str, CorrelationRule]] = {}


def correlation(
    parsed: SigmaCorrelationRule,
    ids: Mapping[str, str],
    path: str,
    line: int | None,
    loaded: Mapping[str, CorrelationRule] = NONE_LOADED,
) -> CorrelationRule:
    """Return one correlation. `ids` resolves names and ids to ids of loaded rules and correlations.

    `loaded` are those correlations, by id. Raises SigmaRuleError for what is not evaluated, and for what
    refers to no loaded rule.
    """
    kind = KINDS[parsed.type]
    condition = parsed.condition
    names = references(parsed)
    rules = tuple(_resolved(name, ids) for name in names)
    op: Operator = "gte"
    count = float(len(rules))
    more: Bounds = ()
    value: tuple[str, ...] = ()
    percentile: int | None = None
    required: Required | None = None
    if isinstance(condition, SigmaCorrelationCondition):
        if asked := bounds(kind, parsed.custom_attributes):
            (op, count), *rest = asked
            more = tuple(rest)
        value, percentile = _value(kind, condition)
        check_values(kind, value, [loaded[rule] for rule in rules if rule in loaded], "field")
        if kind in ("temporal", "temporal_ordered"):
            _check_all(kind, ((op, count), *more), len(rules))
    else:
        required = _required(condition.parsed, {name: place for place, name in enumerate(names)})
        if kind == "temporal_ordered":
            _check_order(required)
    group_by = tuple(parsed.group_by or ())
    aliases = _aliases(parsed, ids)
    return CorrelationRule(
        identity=identity(parsed, path, line),
        kind=kind,
        rules=rules,
        group_by=group_by,
        fields={rule: tuple(aliases.get((key, rule), key) for key in group_by) for rule in rules},
        timespan_s=float(parsed.timespan.seconds),
        op=op,
        count=count,
        generate=parsed.generate,
        value=value,
        percentile=percentile,
        required=required,
        more=more,
        names=aliases,
    )


def arranged(
    items: Sequence[tuple[P, SigmaCorrelationRule]],
) -> tuple[list[tuple[P, SigmaCorrelationRule]], list[tuple[P, SigmaRuleError]]]:
    """Return correlations, those first that others refer to, and those refused for how they refer."""
    by_id = {str(parsed.id): (place, parsed) for place, parsed in items}
    names = {name: key for key, (_, parsed) in by_id.items() for name in (key, parsed.name) if name}
    refers = {
        key: [names[name] for name in references(parsed) if name in names]
        for key, (_, parsed) in by_id.items()
    }
    titles = {key: str(parsed.name or key) for key, (_, parsed) in by_id.items()}
    order = in_order(refers, titles)
    return [by_id[key] for key in order.names], [(by_id[key][0], e) for key, e in order.refused.items()]


def references(parsed: SigmaCorrelationRule) -> list[str]:
    """Return what a correlation refers to: the list of rules, or those that an expression names."""
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


def _check_all(kind: CorrelationKind, asked: Bounds, rules: int) -> None:
    if rules < 2:
        raise MalformedRuleError(f"{kind} needs at least two rules", "List them", "rules")
    if asked not in {(("gte", rules),), (("eq", rules),), (("gt", rules - 1),)}:
        text = " and ".join(f"{op} {count:g}" for op, count in asked)
        raise UnsupportedConstructError(
            f"{kind} with the condition {text} of {rules} rules is not evaluated",
            "Leave the condition out: every listed rule; or write an expression over their names",
            "condition",
        )


def _check_order(required: Required) -> None:
    try:
        alternatives(required)
    except TooManyAlternativesError as error:
        raise UnsupportedConstructError(
            f"the expression is too wide for an order: {error}", "Write several correlations", "condition"
        ) from error
    except ValueError as error:
        raise UnsupportedConstructError(
            f"`not` in a temporal_ordered expression is not evaluated: {error}",
            "Use temporal, or leave the `not` out",
            "condition",
        ) from error


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
            "Name a rule or a correlation (by id or name) that loads",
            name,
        )
    return found


def _aliases(parsed: SigmaCorrelationRule, ids: Mapping[str, str]) -> dict[tuple[str, str], str]:
    mapped: dict[tuple[str, str], str] = {}
    for alias in parsed.aliases:
        for reference, name in alias.mapping.items():
            mapped[alias.alias, _resolved(str(reference.reference), ids)] = name
    return mapped
