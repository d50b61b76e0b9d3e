"""Run by the chart's own environment: reads a JSON list of PromQL expressions, prints what each selects.

One JSON list an expression of `[metric, [label, ...]]`; an expression that does not parse is its error text.
"""

import json
import sys
from typing import Any

import promql_parser  # pyright: ignore[reportMissingImports]


def selectors(node: Any) -> list[list[object]]:
    """Return the selectors below `node`, from left to right."""
    if isinstance(node, promql_parser.VectorSelector):
        return [[node.name, sorted(matcher.name for matcher in node.matchers.matchers)]]
    below = [getattr(node, name, None) for name in ("lhs", "rhs", "expr", "param", "vector_selector")]
    below += getattr(node, "args", None) or []
    return [found for child in below if child is not None for found in selectors(child)]


def answer(expression: str) -> object:
    """Return the selectors of an expression, or why it does not parse."""
    try:
        return selectors(promql_parser.parse(expression))
    except ValueError as error:
        return str(error)


if __name__ == "__main__":
    json.dump([answer(expression) for expression in json.load(sys.stdin)], sys.stdout)
