"""Why a rule did or did not match an event: every test with its verdict and what it saw.

The verdict is the matcher's own: each leaf is tried by the same test. For a rule that did not match, the
nearest miss names the fewest tests that would have to come out otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

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
from detectors.sigma.condition import And, Condition, Keyword, Leaf, Not, Or, Reference
from detectors.sigma.keyword import keyword_test
from detectors.sigma.path import MISSING, Found, lookup
from detectors.sigma.reference import reference_test
from detectors.sigma.values import value_test

Link: TypeAlias = Literal["and", "or", "not"]


@dataclass(frozen=True, slots=True)
class Tested:
    """One test: its verdict, the record's path (None: anywhere), what was wanted, what was seen.

    `seen` is MISSING when the field is not there; for a test over the whole event it is MISSING too.
    """

    holds: bool
    path: str | None
    wanted: tuple[str, ...]
    seen: Found

    def to_json(self) -> Fields:
        """Return the test as JSON; `there` says whether the field is in the event."""
        record: Fields = {"holds": self.holds, "field": self.path, "wanted": list(self.wanted)}
        record["there"] = self.seen is not MISSING
        if self.seen is not MISSING:
            record["seen"] = self.seen
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


Explained: TypeAlias = Tested | Linked


def explain(condition: Condition, fields: Fields, aliases: Mapping[str, str]) -> Explained:
    """Return the tree of verdicts of `condition` on one record; all tests are made, none is skipped.

    `aliases` maps a rule's field name to the record's path.
    """
    match condition:
        case And(parts):
            found = tuple(explain(part, fields, aliases) for part in parts)
            return Linked(all(part.holds for part in found), "and", found)
        case Or(parts):
            found = tuple(explain(part, fields, aliases) for part in parts)
            return Linked(any(part.holds for part in found), "or", found)
        case Not(part):
            inner = explain(part, fields, aliases)
            return Linked(not inner.holds, "not", (inner,))
        case Leaf(path, values):
            real = aliases.get(path, path)
            seen = lookup(real)(fields)
            return Tested(value_test(values)(seen), real, described(values), seen)
        case Reference(path, other, starts_with, ends_with):
            return _reference(path, other, (starts_with, ends_with), fields, aliases)
        case Keyword(values):
            return Tested(keyword_test(values)(fields), None, described(values), MISSING)


def nearest_miss(explained: Explained) -> tuple[Tested, ...]:
    """Return the fewest tests whose other outcome would make the rule match; none when it matches."""
    return _needed(explained, wanted=True)


def leaves_of(explained: Explained) -> Iterator[Tested]:
    """Yield every test of a tree, in the order of the rule."""
    if isinstance(explained, Tested):
        yield explained
    else:
        for part in explained.parts:
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
    path: str, other: str, loosened: tuple[bool, bool], fields: Fields, aliases: Mapping[str, str]
) -> Tested:
    first, second = aliases.get(path, path), aliases.get(other, other)
    holds = reference_test(lookup(first), lookup(second), *loosened)(fields)
    relation = {
        (False, False): "what stands in",
        (True, False): "begins with",
        (False, True): "ends with",
        (True, True): "contains",
    }
    return Tested(holds, first, (f"{relation[loosened]} {second}",), lookup(first)(fields))


def _needed(explained: Explained, *, wanted: bool) -> tuple[Tested, ...]:
    if explained.holds is wanted:
        return ()
    if isinstance(explained, Tested):
        return (explained,)
    if explained.link == "not":
        return _needed(explained.parts[0], wanted=not wanted)
    found = [_needed(part, wanted=wanted) for part in explained.parts]
    if (explained.link == "and") is wanted:
        return tuple(test for tests in found for test in tests)
    return min(found, key=len)
