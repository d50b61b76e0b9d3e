"""A rule's condition as a small tree, made from pySigma's parsed condition."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.types import SigmaExpansion, SigmaFieldReference, SigmaType

from detectors.sigma.document import MalformedRuleError, UnsupportedConstructError

MAX_DEPTH: Final = 40
Quantifier: TypeAlias = "Literal['any', 'all', 'all_or_empty', 'none'] | int"
"""Of which elements of an array something holds; a number is the place of one element, from 0."""


@dataclass(frozen=True, slots=True)
class And:
    """All parts hold."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One part holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Condition


@dataclass(frozen=True, slots=True)
class Leaf:
    """The field matches one of the values."""

    path: str
    values: tuple[SigmaType, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """The field equals (or contains, starts, ends with) what another field of the event holds."""

    path: str
    other: str
    starts_with: bool
    ends_with: bool


@dataclass(frozen=True, slots=True)
class Keyword:
    """One of the values stands anywhere in the event."""

    values: tuple[SigmaType, ...]


@dataclass(frozen=True, slots=True)
class Element:
    """The body holds for elements of the array at `path`; its paths begin in the element (`.`: itself)."""

    path: str
    quantifier: Quantifier
    body: Condition


Condition: TypeAlias = And | Or | Not | Leaf | Reference | Keyword | Element


class ArrayBlock(SigmaType):
    """An array block as the value of a pySigma detection item: it is translated already."""

    def __init__(self, element: Element) -> None:
        self.element = element


def from_sigma(node: object, depth: int = 0) -> Condition:
    """Return the tree of a parsed pySigma condition; ORs over one field become one leaf.

    Raises MalformedRuleError for a selector that names no detection (pySigma would drop it without a
    word) and UnsupportedConstructError for what has no meaning here.
    """
    if depth > MAX_DEPTH:
        raise UnsupportedConstructError(f"the condition nests deeper than {MAX_DEPTH}", "Flatten it")
    if isinstance(node, ConditionAND):
        return _linked(And, (from_sigma(arg, depth + 1) for arg in node.args))
    if isinstance(node, ConditionOR):
        return _linked(Or, (from_sigma(arg, depth + 1) for arg in node.args))
    if isinstance(node, ConditionNOT):
        return Not(from_sigma(node.args[0] if node.args else None, depth + 1))
    if isinstance(node, ConditionFieldEqualsValueExpression):
        return _field(node.field, node.value)
    if isinstance(node, ConditionValueExpression):
        return Keyword(_opened(node.value))
    if node is None:
        raise MalformedRuleError(
            "the condition selects no detection", "Name an existing detection or a pattern that matches one"
        )
    raise UnsupportedConstructError(f"the condition has a {type(node).__name__}", "Write it without")


def either(conditions: Iterable[Condition]) -> Condition:
    """Return the condition that holds when one of `conditions` does (a list of conditions)."""
    return _linked(Or, conditions)


def _field(path: str, value: SigmaType) -> Condition:
    if isinstance(value, ArrayBlock):
        return value.element
    values = _opened(value)
    parts: list[Condition] = [
        Reference(path, item.field, item.starts_with, item.ends_with)
        for item in values
        if isinstance(item, SigmaFieldReference)
    ]
    plain = tuple(item for item in values if not isinstance(item, SigmaFieldReference))
    if plain:
        parts.append(Leaf(path, plain))
    return _linked(Or, parts)


def _opened(value: SigmaType) -> tuple[SigmaType, ...]:
    if not isinstance(value, SigmaExpansion):
        return (value,)
    return tuple(item for inner in value.values for item in _opened(inner))


def _linked(link: type[And] | type[Or], parts: Iterable[Condition]) -> Condition:
    flat: list[Condition] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, link) else (part,))
    if link is Or:
        flat = _merged(flat)
    return flat[0] if len(flat) == 1 else link(tuple(flat))


def _merged(parts: list[Condition]) -> list[Condition]:
    """Join the leaves of one field, and the keywords: any value of them will do."""
    out: list[Condition] = []
    leaves: dict[str, list[SigmaType]] = {}
    keywords: list[SigmaType] = []
    for part in parts:
        if isinstance(part, Leaf):
            leaves.setdefault(part.path, []).extend(part.values)
        elif isinstance(part, Keyword):
            keywords.extend(part.values)
        else:
            out.append(part)
    joined: list[Condition] = [Leaf(path, tuple(values)) for path, values in leaves.items()]
    if keywords:
        joined.append(Keyword(tuple(keywords)))
    return joined + out
