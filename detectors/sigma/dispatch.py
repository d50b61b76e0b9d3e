"""Events sorted by the values of a few fields, and for each sort the rules that it may satisfy, remembered.

Most events of a stream share few values of the fields that tell rules apart, so that nearly every event is
answered by one dictionary. What cannot be remembered (other types, too long, too many) is `UNSORTED`, and the
caller goes another way. The field values come from attackers, so all is bounded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Generic, TypeVar, cast

from detectors.event import Fields
from detectors.sigma.condition import Condition
from detectors.sigma.discriminator import MOST, discriminators, fineness
from detectors.sigma.path import MISSING, Found, lookup
from detectors.sigma.refutation import Partial, compile_partial, fields_of

SORTS: Final = 8192
_KEY_CHARACTERS: Final = 512
_LIST_ITEMS: Final = 8
_REFUSED_BEFORE_FORGETTING: Final = 8 * SORTS
_FALSE_TRIES: Final = 256
T = TypeVar("T")


class _UnsortedError(Exception):
    """A field holds what is neither text nor number nor null."""


class Dispatch(Generic[T]):
    """Rules by the sort of an event. `rules` are pairs of what to return and its condition."""

    def __init__(self, rules: Sequence[tuple[T, Condition]], aliases: Mapping[str, str]) -> None:
        self._rules = tuple(rules)
        self._aliases = aliases
        self._gains: Counter[str] = Counter()
        self._false = 0
        self._settled = False
        self._sort(discriminators([condition for _, condition in rules], aliases))

    def candidates(self, fields: Fields) -> tuple[T, ...] | None:
        """Return the rules that the event may satisfy; None when it cannot be sorted."""
        try:
            key = self._key(fields)
            return self._sorted[key]
        except KeyError:
            return self._remembered(self._key(fields))
        except _UnsortedError:
            return None

    def tried_in_vain(self, rule: T, fields: Fields) -> None:
        """Note that a candidate did not match; when that happens often, one more field sorts events.

        It changes what is tried, never what matches.
        """
        if self._settled:
            return
        for path, refutes in self._refuting(rule):
            try:
                self._gains[path] += refutes([lookup(path)(fields)]) is False
            except RecursionError:
                continue
        self._false += 1
        if self._false >= _FALSE_TRIES:
            self._sharpen()

    @property
    def paths(self) -> tuple[str, ...]:
        """The fields that events are sorted by now."""
        return self._paths

    def _sort(self, paths: tuple[str, ...]) -> None:
        self._paths = paths
        self._key = _key_of(paths)
        self._partial: list[tuple[T, Partial]] = [
            (rule, compile_partial(condition, paths, self._aliases)) for rule, condition in self._rules
        ]
        self._sorted: dict[tuple[object, ...], tuple[T, ...]] = {}
        self._refused = 0
        self._single: dict[int, tuple[tuple[str, Partial], ...]] = {}

    def _remembered(self, key: tuple[object, ...]) -> tuple[T, ...] | None:
        if len(self._sorted) >= SORTS or _characters(key) > _KEY_CHARACTERS:
            self._refused += 1
            if self._refused >= _REFUSED_BEFORE_FORGETTING:
                self._sorted.clear()
                self._refused = 0
            return None
        values = [_found(value) for value in key]
        found = tuple(rule for rule, partial in self._partial if partial(values) is not False)
        self._sorted[key] = found
        return found

    def _refuting(self, tried: T) -> tuple[tuple[str, Partial], ...]:
        """Return each further field of a rule with the test whether that field alone refutes it."""
        if id(tried) not in self._single:
            condition = next(condition for rule, condition in self._rules if rule is tried)
            paths = sorted(fields_of(condition, self._aliases) - set(self._paths))
            self._single[id(tried)] = tuple(
                (path, compile_partial(condition, [path], self._aliases)) for path in paths
            )
        return self._single[id(tried)]

    def _sharpen(self) -> None:
        gains, self._gains, self._false = self._gains, Counter(), 0
        best = max(gains, key=lambda path: (gains[path] * fineness(path), path), default=None)
        helps = best is not None and gains[best] * 2 >= _FALSE_TRIES
        self._settled = not helps or len(self._paths) + 1 >= MOST
        if best is not None and helps:
            self._sort((*self._paths, best))


def _characters(key: tuple[object, ...]) -> int:
    """Return how long the texts of a key are together, those inside lists too."""
    return sum(
        len(part) if isinstance(part, str) else _characters(cast("tuple[object, ...]", part))
        for part in key
        if isinstance(part, str | tuple)
    )


def _key_of(paths: Sequence[str]) -> Callable[[Fields], tuple[object, ...]]:
    """Return the function that reads a record's key; its source holds operators and generated names only."""
    namespace: dict[str, object] = {"__builtins__": {}, "S": str, "D": dict, "I": int}
    namespace |= {"M": MISSING, "other": _other}
    parts = [_part(path, place, namespace) for place, path in enumerate(paths)]
    code = compile(f"lambda f: ({''.join(f'{part}, ' for part in parts)})", "<sort>", "eval")
    return cast("Callable[[Fields], tuple[object, ...]]", eval(code, namespace))  # noqa: S307


def _part(path: str, place: int, namespace: dict[str, object]) -> str:
    keys = path.split(".")
    namespace[f"r{place}"] = lookup(path)
    plain = "(c := v.__class__) is S or c is I"
    general = f"(v if (v := r{place}(f)) is None or v is M or {plain} else other(v))"
    for depth, key in enumerate(keys):
        namespace[f"k{place}_{depth}"] = key
    if len(keys) == 1:
        return f"(v if (c := (v := f.get(k{place}_0)).__class__) is S or c is I else {general})"
    if len(keys) == 2:
        inner = f"(c := (v := d.get(k{place}_1)).__class__) is S or c is I"
        return f"(v if (d := f.get(k{place}_0)).__class__ is D and ({inner}) else {general})"
    return general


def _other(value: object) -> tuple[type, object]:
    """Return what equals a whole number and is none, with its type: 1.0 and True are not 1 to a rule.

    Short lists of texts (policies, groups) can be sorted by as well.
    """
    if isinstance(value, bool | float):
        return value.__class__, value
    if isinstance(value, list):
        items = cast("list[object]", value)
        if len(items) <= _LIST_ITEMS and all(isinstance(item, str) for item in items):
            return list, tuple(items)
    raise _UnsortedError


def _found(part: object) -> Found:
    """Return the field's value of a part of a key."""
    if not isinstance(part, tuple):
        return cast(Found, part)
    kind, value = cast("tuple[type, object]", part)
    return list(cast("tuple[str, ...]", value)) if kind is list else cast(Found, value)
