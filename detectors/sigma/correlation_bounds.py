"""The condition of a correlation as bounds on a number: one comparison, or several that all must hold.

pySigma takes one comparison and cuts its number to a whole one, so the document's own mapping is read here
and pySigma sees the first comparison only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, TypeAlias, cast

from detectors.sigma.document import MalformedRuleError, UnsupportedConstructError
from detectors.sigma.rule import CorrelationKind, Operator
from detectors.sigma.window import MAX_HELD

Bounds: TypeAlias = tuple[tuple[Operator, float], ...]
KEY: Final = "davylamp-correlation-condition"
_OPERATORS: Final[tuple[Operator, ...]] = ("gt", "gte", "lt", "lte", "eq", "neq")
_EXTENDED: Final = {"temporal_extended": "temporal", "temporal_ordered_extended": "temporal_ordered"}
_WHOLE: Final = ("event_count", "value_count", "temporal", "temporal_ordered")


def respelt_correlation(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with a condition that pySigma takes; the whole one stands under `KEY`.

    The types `temporal_extended` and `temporal_ordered_extended` are `temporal` and `temporal_ordered` with
    an expression. Raises SigmaRuleError.
    """
    out = {key: value for key, value in rule.items() if key != KEY}
    section: object = rule.get("correlation")
    if not isinstance(section, dict):
        return out
    own = dict(cast("dict[str, object]", section))
    out["correlation"] = own
    condition, kind = own.get("condition"), own.get("type")
    if isinstance(kind, str) and kind in _EXTENDED:
        if not isinstance(condition, str):
            raise MalformedRuleError(
                f"{kind} needs an expression as its condition",
                "Write for example: a and (b or c)",
                "condition",
            )
        own["type"] = _EXTENDED[kind]
    if isinstance(condition, dict):
        given = cast("dict[str, object]", condition)
        if found := [op for op in _OPERATORS if op in given]:
            bounds = [(op, _number(op, given[op])) for op in found]
            own["condition"] = {**{k: v for k, v in given.items() if k not in found}, found[0]: 1}
            out[KEY] = bounds
    return out


def bounds(kind: CorrelationKind, custom: Mapping[str, object]) -> Bounds | None:
    """Return the bounds that `respelt_correlation` kept, None for none. Raises SigmaRuleError."""
    found = cast("list[tuple[Operator, float]] | None", custom.get(KEY))
    if not found:
        return None
    if kind in _WHOLE:
        _whole(kind, found)
    if not _possible(found, whole=kind in _WHOLE):
        asked = " and ".join(f"{op} {count:g}" for op, count in found)
        raise MalformedRuleError(f"no number is {asked}", "Mend the condition", "condition")
    return tuple(found)


def _number(op: str, value: object) -> float:
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    raise MalformedRuleError(f"{op} {value!r} is no number", f"Write {op}: 10", "condition")


def _whole(kind: CorrelationKind, found: list[tuple[Operator, float]]) -> None:
    for op, count in found:
        if count != int(count):
            raise MalformedRuleError(
                f"{kind} counts, and {op} {count:g} is no whole number",
                f"Write {op}: {int(count)}",
                "condition",
            )
        if op in ("gt", "gte", "eq") and count + (op == "gt") > MAX_HELD:
            raise UnsupportedConstructError(
                f"{op} {count:g} is more than the {MAX_HELD} events that a window holds",
                "Ask for fewer events in a shorter time span, or chain correlations",
                "condition",
            )


def _possible(found: list[tuple[Operator, float]], *, whole: bool) -> bool:
    """Return whether some number satisfies all bounds; a count is whole and not below 0."""
    low, high = (0.0 if whole else -math.inf), math.inf
    open_low = open_high = False
    for op, count in found:
        if op in ("gt", "gte", "eq") and (count > low or (count == low and op == "gt")):
            low, open_low = count, op == "gt"
        if op in ("lt", "lte", "eq") and (count < high or (count == high and op == "lt")):
            high, open_high = count, op == "lt"
    if whole:
        low, high = low + open_low, high - open_high
        open_low = open_high = False
    if low > high or (low == high and (open_low or open_high)):
        return False
    return not (low == high and ("neq", low) in found)
