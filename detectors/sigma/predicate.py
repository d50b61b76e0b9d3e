"""A condition as one Python function: generated source that short-circuits, cheapest tests first.

The source holds only operators and generated names; every value of a rule reaches it through the
namespace, so a rule's text is never compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias, cast

from sigma.types import (
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaType,
)

from detectors.event import Fields
from detectors.sigma.condition import And, Condition, Element, Keyword, Leaf, Not, Or, Reference
from detectors.sigma.document import UnsupportedConstructError
from detectors.sigma.element import element_test
from detectors.sigma.keyword import keyword_test
from detectors.sigma.path import Derived, lookup
from detectors.sigma.reference import reference_test
from detectors.sigma.strings import inline_test
from detectors.sigma.text import pattern
from detectors.sigma.values import value_test
from detectors.sigma.witness import COARSE

Predicate: TypeAlias = Callable[[Fields], bool]
_EQUALITY_COST: Final = 1
_COARSE_COST: Final = 2
_DEEP_COST: Final = 3
_NOT_COST: Final = 4
_SLOW_COST: Final = 20


def compile_predicate(condition: Condition, aliases: Mapping[str, str]) -> Predicate:
    """Return a function that says whether a record satisfies `condition`.

    `aliases` maps a rule's field name to the record's path. Raises UnsupportedConstructError that
    names what cannot be evaluated.
    """
    namespace: dict[str, object] = {"__builtins__": {}, "S": str, "D": dict}
    expression = _Source(namespace, aliases).of(condition)
    try:
        code = compile(f"lambda f: {expression}", "<sigma rule>", "eval")
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise UnsupportedConstructError("the condition nests too deep", "Flatten it") from error
    # Generated from names and operators only, see above: nothing of the rule's text is in it.
    return cast(Predicate, eval(code, namespace))  # noqa: S307


class _Source:
    """Writes the expression and puts the tests into the namespace."""

    def __init__(self, namespace: dict[str, object], aliases: Mapping[str, str]) -> None:
        self._namespace = namespace
        self._aliases = aliases

    def of(self, node: Condition) -> str:
        match node:
            case And(parts):
                return "(" + " and ".join(self.of(part) for part in sorted(parts, key=cost)) + ")"
            case Or(parts):
                return "(" + " or ".join(self.of(part) for part in sorted(parts, key=cost)) + ")"
            case Not(part):
                return f"(not {self.of(part)})"
            case Leaf(path, values):
                return self._leaf(self._aliases.get(path, path), values)
            case Reference(path, other, starts_with, ends_with):
                first = lookup(self._aliases.get(path, path))
                second = lookup(self._aliases.get(other, other))
                return f"{self._name('t', reference_test(first, second, starts_with, ends_with))}(f)"
            case Keyword(values):
                return f"{self._name('t', keyword_test(values))}(f)"
            case Element(path, _, body):
                test = element_test(node, self._aliases.get(path, path), compile_predicate(body, {}))
                return f"{self._name('t', test)}(f)"

    def _leaf(self, path: str, values: tuple[SigmaType, ...]) -> str:
        """Write the test of one field; plain text at a path of one or two keys is decided in place."""
        read = self._name("r", lookup(path))
        general = f"{self._name('t', value_test(values))}({read}(f))"
        keys = path.split(".")
        if isinstance(path, Derived) or len(keys) > 2 or not all(is_folded(value) for value in values):
            return general
        inline = inline_test(
            pattern(value, cased=False) for value in values if isinstance(value, SigmaString)
        )
        if inline is None:
            return general
        template, constant = inline
        test = template.format(v="v.casefold()", c=self._name("c", constant))
        owner = "f"
        found = ""
        if len(keys) == 2:
            found = f"(d := f.get({self._name('k', keys[0])})).__class__ is D and "
            owner = "d"
        found += f"(v := {owner}.get({self._name('k', keys[-1])})).__class__ is S"
        return f"({test} if {found} else {general})"

    def _name(self, prefix: str, value: object) -> str:
        name = f"{prefix}{len(self._namespace)}"
        self._namespace[name] = value
        return name


def cost(node: Condition) -> int:
    """Return a rough price of a test: only the order of evaluation depends on it, never the answer."""
    match node:
        case And(parts) | Or(parts):
            return sum(cost(part) for part in parts)
        case Not(part):
            return cost(part) + _NOT_COST
        case Leaf(path, values):
            coarse = _COARSE_COST if path.casefold() in COARSE else 0
            deep = _DEEP_COST if path.count(".") > 1 else 0
            return coarse + deep + max(_value_cost(value) for value in values)
        case Reference():
            return 4
        case Keyword():
            return 5 * _SLOW_COST
        case Element(_, _, body):
            return _SLOW_COST + 4 * cost(body)


def is_folded(value: SigmaType) -> bool:
    """Return whether a value is a string without regard to case."""
    return isinstance(value, SigmaString) and not isinstance(value, SigmaCasedString)


def _value_cost(value: SigmaType) -> int:
    if isinstance(value, SigmaString):
        cased = isinstance(value, SigmaCasedString)
        return _EQUALITY_COST if pattern(value, cased=cased).kind == "equals" else 2
    if isinstance(value, SigmaRegularExpression | SigmaCIDRExpression):
        return _SLOW_COST
    return _EQUALITY_COST if isinstance(value, SigmaNumber) else 3
