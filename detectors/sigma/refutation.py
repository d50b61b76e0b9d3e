"""Can an event still satisfy a rule when only some fields are known? Three-valued, after Kleene (1938).

Used to skip rules: a condition that the known fields make false is false whatever the others hold.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TypeAlias

from sigma.types import SigmaType

from detectors.sigma.condition import And, Condition, Leaf, Not, Or
from detectors.sigma.path import Found
from detectors.sigma.values import value_test

Verdict: TypeAlias = "bool | None"
"""True, False, or None: the known fields do not decide."""
Partial: TypeAlias = Callable[[Sequence[Found]], Verdict]


def compile_partial(condition: Condition, known: Sequence[str], aliases: Mapping[str, str]) -> Partial:
    """Return a function from the values of the `known` paths, in their order, to the verdict.

    `aliases` maps a rule's field name to the record's path, as for the predicate.
    """
    places = {path: place for place, path in enumerate(known)}
    return _compiled(condition, places, aliases)


def refutable(condition: Condition, known: Collection[str], aliases: Mapping[str, str]) -> bool:
    """Return whether some values of the `known` paths make `condition` false.

    A test of a known field is taken to be able to fail and to hold, as it likes.
    """
    return False in _possible(condition, known, aliases)


def fields_of(condition: Condition, aliases: Mapping[str, str], *, excluding: bool = True) -> frozenset[str]:
    """Return the paths that the condition tests for values; `excluding`: also below a `not`."""
    match condition:
        case Leaf(path, _):
            return frozenset((aliases.get(path, path),))
        case And(parts) | Or(parts):
            return frozenset[str]().union(*(fields_of(p, aliases, excluding=excluding) for p in parts))
        case Not(part) if excluding:
            return fields_of(part, aliases)
        case _:
            return frozenset()


def leaves_of(condition: Condition, aliases: Mapping[str, str]) -> Iterator[tuple[str, Sequence[SigmaType]]]:
    """Yield path and values of every test that a verdict on some fields (`compile_partial`) can rest on."""
    match condition:
        case Leaf(path, values):
            yield aliases.get(path, path), values
        case Not(part):
            yield from leaves_of(part, aliases)
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves_of(part, aliases)
        case _:
            return


def refuting(
    condition: Condition, aliases: Mapping[str, str], *, wanted: bool = False
) -> frozenset[str] | None:
    """Return few paths whose values can make `condition` false (or, `wanted`, true); None if none can."""
    match condition:
        case Leaf(path, _):
            return frozenset((aliases.get(path, path),))
        case Not(part):
            return refuting(part, aliases, wanted=not wanted)
        case And(parts) | Or(parts):
            found = [refuting(part, aliases, wanted=wanted) for part in parts]
            if isinstance(condition, Or) is wanted:
                return min((paths for paths in found if paths is not None), key=len, default=None)
            known = [paths for paths in found if paths is not None]
            return frozenset[str]().union(*known) if len(known) == len(found) else None
        case _:
            return None


def _compiled(node: Condition, places: Mapping[str, int], aliases: Mapping[str, str]) -> Partial:
    match node:
        case And(parts):
            return _linked([_compiled(part, places, aliases) for part in parts], decisive=False)
        case Or(parts):
            return _linked([_compiled(part, places, aliases) for part in parts], decisive=True)
        case Not(part):
            inner = _compiled(part, places, aliases)
            return lambda values: None if (verdict := inner(values)) is None else not verdict
        case Leaf(path, wanted):
            place = places.get(aliases.get(path, path))
            if place is None:
                return _unknown
            test = value_test(wanted)
            return lambda values: test(values[place])
        case _:
            return _unknown


def _linked(parts: Sequence[Partial], *, decisive: bool) -> Partial:
    """One part with the `decisive` verdict decides; else one that is unknown leaves all unknown."""

    def verdict(values: Sequence[Found]) -> Verdict:
        known = True
        for part in parts:
            found = part(values)
            if found is decisive:
                return decisive
            known = known and found is not None
        return (not decisive) if known else None

    return verdict


def _unknown(_values: Sequence[Found]) -> Verdict:
    return None


def _possible(node: Condition, known: Collection[str], aliases: Mapping[str, str]) -> frozenset[Verdict]:
    """Return the verdicts that are possible; parts are taken as independent of each other."""
    match node:
        case And(parts):
            return _combined([_possible(part, known, aliases) for part in parts], decisive=False)
        case Or(parts):
            return _combined([_possible(part, known, aliases) for part in parts], decisive=True)
        case Not(part):
            inner = _possible(part, known, aliases)
            return frozenset(None if verdict is None else not verdict for verdict in inner)
        case Leaf(path, _):
            return frozenset((True, False)) if aliases.get(path, path) in known else frozenset((None,))
        case _:
            return frozenset((None,))


def _combined(parts: Sequence[frozenset[Verdict]], *, decisive: bool) -> frozenset[Verdict]:
    out: set[Verdict] = set()
    if any(decisive in part for part in parts):
        out.add(decisive)
    if all((not decisive) in part for part in parts):
        out.add(not decisive)
    if any(None in part for part in parts):
        out.add(None)
    return frozenset(out)
