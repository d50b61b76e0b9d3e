"""Why a rule did or did not match an event: every test with its verdict and what it saw.

The verdict is the matcher's own: each leaf is tried by the same test. For a rule that did not match, the
nearest miss names the fewest tests that would have to come out otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from sigma.types import (
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaNull,
    SigmaRegularExpression,
    SigmaTimestampPart,
    SigmaType,
)

from detectors.event import Fields, Json
from detectors.sigma.condition import And, Condition, Element, Keyword, Leaf, Not, Or, Quantifier, Reference
from detectors.sigma.element import SELF, places, quantified, reads_itself, scope
from detectors.sigma.keyword import keyword_test
from detectors.sigma.path import MISSING, Found, lookup
from detectors.sigma.reference import reference_test
from detectors.sigma.values import value_test

Link: TypeAlias = Literal["and", "or", "not"]
MAX_ELEMENTS: Final = 64
"""Of an array so many elements are shown; all are tried."""
_WORDS: Final[Mapping[Quantifier, str]] = {
    "any": "one element that matches",
    "all": "elements that all match, at least one",
    "all_or_empty": "elements that all match, or none",
    "none": "no element that matches",
}


@dataclass(frozen=True, slots=True)
class Tested:
    """One test: its verdict, the record's path (None: anywhere), what was wanted, what was seen.

    `seen` is MISSING when the field is not there; for a test over the whole event it is MISSING too.
    `name` is what the rule calls the field, where that is an alias of the path.
    """

    holds: bool
    path: str | None
    wanted: tuple[str, ...]
    seen: Found
    name: str | None = None

    def to_json(self) -> Fields:
        """Return the test as JSON; `there` says whether the field is in the event."""
        record: Fields = {"holds": self.holds, "field": self.path, "wanted": list(self.wanted)}
        record["there"] = self.seen is not MISSING
        if self.seen is not MISSING:
            record["seen"] = self.seen
        if self.name is not None:
            record["alias"] = self.name
        return record


@dataclass(frozen=True, slots=True)
class Linked:
    """Tests under and, or, not, with the verdict of all together."""

    holds: bool
    link: Link
    parts: tuple[Explained, ...]

    def to_json(self) -> Fields:
        """Return the tree below as JSON."""
        parts: list[Json] = [part.to_json() for part in self.parts]
        return {"holds": self.holds, self.link: parts}


@dataclass(frozen=True, slots=True)
class Elements:
    """The elements of an array, each with its place and what the body of the block says of it.

    `empty` stands for the elements where there are none: it is the test that one is there.
    """

    holds: bool
    path: str
    quantifier: Quantifier
    items: tuple[tuple[str, Explained], ...]
    empty: Tested

    @property
    def wanted(self) -> str:
        """What is asked of the elements, in words."""
        return _wanted(self.quantifier)

    def to_json(self) -> Fields:
        """Return the array and its first elements as JSON; `count` says how many there are."""
        shown: list[Json] = [{"at": at, **item.to_json()} for at, item in self.items[:MAX_ELEMENTS]]
        record: Fields = {"holds": self.holds, "field": self.path, "each": self.quantifier}
        return {**record, "count": len(self.items), "elements": shown}


Explained: TypeAlias = Tested | Linked | Elements


def explain(condition: Condition, fields: Fields, aliases: Mapping[str, str], at: str = "") -> Explained:
    """Return the tree of verdicts of `condition` on one record; all tests are made, none is skipped.

    `aliases` maps a rule's field name to the record's path; `at` is where `fields` stands in the event,
    when it is an element of an array.
    """
    match condition:
        case And(parts):
            found = tuple(explain(part, fields, aliases, at) for part in parts)
            return Linked(all(part.holds for part in found), "and", found)
        case Or(parts):
            found = tuple(explain(part, fields, aliases, at) for part in parts)
            return Linked(any(part.holds for part in found), "or", found)
        case Not(part):
            inner = explain(part, fields, aliases, at)
            return Linked(not inner.holds, "not", (inner,))
        case Leaf(path, values):
            real = aliases.get(path, path)
            seen = lookup(real)(fields)
            name = None if real == path else path
            return Tested(value_test(values)(seen), _below(at, real), described(values), seen, name)
        case Reference(path, other, starts_with, ends_with):
            return _reference(path, other, (starts_with, ends_with), fields, aliases, at)
        case Keyword(values):
            return Tested(keyword_test(values)(fields), None, described(values), MISSING)
        case Element(path, _, _):
            return _elements(condition, aliases.get(path, path), fields, at)


def nearest_miss(explained: Explained) -> tuple[Tested, ...]:
    """Return the fewest tests whose other outcome would make the rule match; none when it matches."""
    return _needed(explained, wanted=True)


def leaves_of(explained: Explained) -> Iterator[Tested]:
    """Yield every test of a tree, in the order of the rule."""
    if isinstance(explained, Tested):
        yield explained
        return
    parts = explained.parts if isinstance(explained, Linked) else [part for _, part in explained.items]
    for part in parts:
        yield from leaves_of(part)


def described(values: Sequence[SigmaType]) -> tuple[str, ...]:
    """Return what each value asks for, in the words of a rule."""
    return tuple(_described(value) for value in values)


def _described(value: SigmaType) -> str:
    match value:
        case SigmaNull():
            return "null"
        case SigmaExists():
            return "is there" if value.exists else "is not there"
        case SigmaRegularExpression():
            return f"re {value.regexp}"
        case SigmaCIDRExpression():
            return f"cidr {value.network}"
        case SigmaCompareExpression():
            return f"{str(value.op.name).lower()} {value.number}"
        case SigmaTimestampPart():
            return f"{str(value.timestamp_part.name).lower()} {value.number}"
        case _:
            return str(value)


def _reference(
    path: str, other: str, loosened: tuple[bool, bool], fields: Fields, aliases: Mapping[str, str], at: str
) -> Tested:
    first, second = aliases.get(path, path), aliases.get(other, other)
    holds = reference_test(lookup(first), lookup(second), *loosened)(fields)
    relation = {
        (False, False): "what stands in",
        (True, False): "begins with",
        (False, True): "ends with",
        (True, True): "contains",
    }
    wanted = (f"{relation[loosened]} {_below(at, second)}",)
    name = None if first == path else path
    return Tested(holds, _below(at, first), wanted, lookup(first)(fields), name)


def _elements(node: Element, path: str, fields: Fields, at: str) -> Elements:
    whole = reads_itself(node.body)
    items = tuple(
        (_below(at, place), explain(node.body, scope(item, whole=whole), {}, _below(at, place)))
        for place, item in places(path, node.quantifier)(fields)
    )
    holds = quantified(node.quantifier, (item.holds for _, item in items))
    real = _below(at, path)
    empty = Tested(holds, real, (_wanted(node.quantifier),), lookup(path)(fields))
    return Elements(holds, real, node.quantifier, items, empty)


def _wanted(quantifier: Quantifier) -> str:
    if isinstance(quantifier, int):
        return f"an element at place {quantifier}"
    return _WORDS[quantifier]


def _below(at: str, path: str) -> str:
    """Return the path of a field of the element at `at`; `.` is the element itself."""
    if not at or path == SELF:
        return at or path
    return at + path.removeprefix(SELF) if path.startswith(f"{SELF}[") else f"{at}.{path}"


def _needed(explained: Explained, *, wanted: bool) -> tuple[Tested, ...]:
    if explained.holds is wanted:
        return ()
    if isinstance(explained, Tested):
        return (explained,)
    if isinstance(explained, Elements):
        return _needed_elements(explained, wanted=wanted)
    if explained.link == "not":
        return _needed(explained.parts[0], wanted=not wanted)
    found = [_needed(part, wanted=wanted) for part in explained.parts]
    if (explained.link == "and") is wanted:
        return tuple(test for tests in found for test in tests)
    return min(found, key=len)


def _needed_elements(explained: Elements, *, wanted: bool) -> tuple[Tested, ...]:
    """One element that changes is enough, or each has to: as the quantifier and the wish are."""
    bodies = wanted is (explained.quantifier != "none")
    found = [_needed(item, wanted=bodies) for _, item in explained.items]
    if not found:
        return (explained.empty,)
    if (explained.quantifier in ("all", "all_or_empty", "none")) is wanted:
        return tuple(test for tests in found for test in tests)
    return min(found, key=len)
