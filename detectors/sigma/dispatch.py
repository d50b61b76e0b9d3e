"""Events sorted by the values of a few fields, and for each sort the rules that it may satisfy, remembered.

Most events of a stream share few values of the fields that tell rules apart, so that nearly every event is
answered by one dictionary. Values that no rule tells apart are one sort (`value_class`). What cannot be
sorted (objects, long lists) goes another way. The field values come from attackers, so all is bounded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from typing import Final, Generic, TypeVar, cast

from sigma.types import SigmaType

from detectors.event import Fields
from detectors.sigma.condition import Condition
from detectors.sigma.discriminator import MOST, discriminators, fineness
from detectors.sigma.path import MISSING, Derived, Found, lookup
from detectors.sigma.refutation import Partial, compile_partial, fields_of, leaves_of
from detectors.sigma.text import texts
from detectors.sigma.value_class import UNKNOWN, ValueClasses
from detectors.sigma.witness import witness

SORTS: Final = 8192
LIST_ITEMS: Final = 8
MAX_SEGMENTS: Final = 4
"""A path of more segments has too many spellings with dots to look for each."""
_FALSE_TRIES: Final = 64
MOST_SHARPENED: Final = 10
"""Fields that events are sorted by at most, those included that events show to be worth it."""
_WORTH: Final = 0.15
_WORTH_DEEP: Final = 0.4
_WORTH_DERIVED: Final = 1.0
"""False tries an event that a further field must spare to be worth its reading: that costs a part of a
try, more where the field lies deep; with one that is no plain path nothing can be read in part any more."""
_ASKED: Final = 4
"""Of so many false tries one is asked which field would have spared it: that costs more than the try."""
T = TypeVar("T")
Key = tuple[int, ...]


class UnsortedError(Exception):
    """A field holds what is neither text nor number nor null nor a short list of texts."""


class Dispatch(Generic[T]):
    """Rules by the sort of an event. `rules` are pairs of what to return and its condition.

    `key` reads of which class of values (`classes`, one a field) an event is in each field, `sorted` are the
    rules by that; all change when another field sorts events. The usual event is answered by
    ``sorted[key(fields)]``; when that raises anything, `candidates` knows.
    """

    key: Callable[[Fields], Key]
    classes: Sequence[ValueClasses]
    sorted: dict[Key, tuple[T, ...]]
    asked: int
    """Events that were looked up since fields were last chosen; whoever looks up counts them."""

    def __init__(self, rules: Sequence[tuple[T, Condition]], aliases: Mapping[str, str]) -> None:
        self._rules = tuple(rules)
        self._aliases = aliases
        self._gains: Counter[str] = Counter()
        self._tries = 0
        self.asked = 0
        self._false = 0
        self._settled = False
        self._sort(discriminators([condition for _, condition in rules], aliases))

    def candidates(self, fields: Fields, key: Key | None = None) -> tuple[T, ...] | None:
        """Return the rules that the event may satisfy, whose `key` may be known; None when it is unsorted."""
        try:
            key = self.key(fields) if key is None else key
        except TypeError:  # a list or an object has no hash
            try:
                values = [_hashed(read(fields)) for read in self._reads]
            except UnsortedError:
                return None
            self._expect_lists(values)
            key = tuple([known[value] for known, value in zip(self.classes, values, strict=True)])
        found = self.sorted.get(key)
        return self._remembered(key) if found is None else found

    def tried_in_vain(self, rule: T, fields: Fields) -> None:
        """Note that a candidate did not match; when that happens often, one more field sorts events.

        It changes what is tried, never what matches.
        """
        if self._settled:
            return
        self._tries += 1
        if self._tries % _ASKED:
            return
        for path, refutes in self._refuting(rule):
            found = lookup(path)(fields)
            try:
                _hashed(found)
                self._gains[path] += refutes([found]) is False
            except (RecursionError, UnsortedError):  # what holds objects cannot be sorted by
                self._gains[path] -= 1
        self._false += 1
        if self._false >= _FALSE_TRIES:
            self._sharpen()

    @property
    def paths(self) -> tuple[str, ...]:
        """The fields that events are sorted by now."""
        return self._paths

    def _sort(self, paths: tuple[str, ...]) -> None:
        self._paths = paths
        self._reads = [lookup(path) for path in paths]
        tested: dict[str, list[Sequence[SigmaType]]] = {path: [] for path in paths}
        for _, condition in self._rules:
            for path, values in leaves_of(condition, self._aliases):
                if path in tested:
                    tested[path].append(values)
        self.classes = [ValueClasses(tested[path]) for path in paths]
        self._listed: frozenset[int] = frozenset()
        self.key = _key_of(paths, self.classes, self._listed)
        self._partial: list[tuple[T, Partial]] = [
            (rule, compile_partial(condition, paths, self._aliases)) for rule, condition in self._rules
        ]
        self._demanding = _Demands([condition for _, condition in self._rules], paths, self._aliases)
        self.sorted = {}
        self._single: dict[int, tuple[tuple[str, Partial], ...]] = {}

    def _expect_lists(self, values: Sequence[object]) -> None:
        """Read the fields that hold lists so from now on: an exception at every event is dear."""
        listed = self._listed | {place for place, value in enumerate(values) if isinstance(value, tuple)}
        if listed != self._listed:
            self._listed = frozenset(listed)
            self.key = _key_of(self._paths, self.classes, self._listed)

    def _remembered(self, key: Key) -> tuple[T, ...] | None:
        if UNKNOWN in key:
            return None
        # Values of one class can differ in type: 1 == 1.0 == True. What one of them may satisfy is tried.
        of_each = (known.values_of(number) for known, number in zip(self.classes, key, strict=True))
        variants = [*product(*of_each)]
        found: tuple[T, ...] = ()
        for place in self._demanding.places(variants):
            rule, partial = self._partial[place]
            if any(partial(values) is not False for values in variants):
                found = (*found, rule)
        if len(self.sorted) >= SORTS:
            self.sorted.clear()
        self.sorted[key] = found
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
        few = len(self._paths) < MOST
        rate = self._tries / max(1, self.asked)
        useful = {
            path: gain
            for path, gain in self._gains.items()
            if (few and gain * 2 >= _FALSE_TRIES) or gain / _FALSE_TRIES * rate >= _worth(path)
        }
        self._gains, self._false, self._tries, self.asked = Counter(), 0, 0, 0
        best = max(useful, key=lambda path: (useful[path] * fineness(path), path), default=None)
        self._settled = best is None or len(self._paths) + 1 >= MOST_SHARPENED
        if best is not None:
            self._sort((*self._paths, best))


def _worth(path: str) -> float:
    if isinstance(path, Derived):
        return _WORTH_DERIVED
    return _WORTH if path.count(".") < 2 else _WORTH_DEEP


class _Demands:
    """Rules, by their places, that need one of some texts in a field: most need not be looked at."""

    def __init__(
        self, conditions: Sequence[Condition], paths: Sequence[str], aliases: Mapping[str, str]
    ) -> None:
        self._always: list[int] = []
        self._by_text: list[dict[str, list[int]]] = [{} for _ in paths]
        columns = {path: column for column, path in enumerate(paths)}
        for place, condition in enumerate(conditions):
            found = witness(condition, lambda path: aliases.get(path, path) in columns)
            if found is None or any(how != "equals" for _, how in found):
                self._always.append(place)
                continue
            for (path, _), wanted in found.items():
                table = self._by_text[columns[aliases.get(path, path)]]
                for text in wanted:
                    table.setdefault(text, []).append(place)

    def places(self, variants: Iterable[Sequence[Found]]) -> list[int]:
        """Return the places of the rules that may hold for one of `variants` of values, in their order."""
        found: list[int] = []
        for values in variants:
            for value, table in zip(values, self._by_text, strict=True):
                if isinstance(value, str):
                    found += table.get(value.casefold(), ())
                elif table and value is not None and value is not MISSING:
                    for text in texts(value):
                        found += table.get(text.casefold(), ())
        return sorted({*self._always, *found}) if found else self._always


def _key_of(
    paths: Sequence[str], classes: Sequence[ValueClasses], listed: frozenset[int] = frozenset()
) -> Callable[[Fields], Key]:
    """Return the function that reads a record's key; its source holds operators and generated names only.

    It does not look at types but at the places that are `listed`: what has no hash raises TypeError.
    """
    namespace: dict[str, object] = {"__builtins__": {}, "D": dict, "L": list, "M": MISSING, "h": _tupled}
    namespace |= {f"c{place}": known for place, known in enumerate(classes)}
    read = {place: _part(path, place, namespace) for place, path in enumerate(paths)}
    parts = [f"c{place}[{f'h({part})' if place in listed else part}]" for place, part in read.items()]
    code = compile(f"lambda f: ({''.join(f'{part}, ' for part in parts)})", "<sort>", "eval")
    return cast("Callable[[Fields], Key]", eval(code, namespace))  # noqa: S307


def _part(path: str, place: int, namespace: dict[str, object]) -> str:
    keys = path.split(".")
    general = f"r{place}(f)"
    namespace[f"r{place}"] = lookup(path)
    if isinstance(path, Derived) or len(keys) > MAX_SEGMENTS or not all(keys):
        return general
    namespace |= {f"k{place}_{depth}": key for depth, key in enumerate(keys)}
    namespace[f"k{place}"] = path
    whole = f"f.get(k{place}, M)"
    if len(keys) == 1:
        return whole
    if len(keys) == 2:
        nested = f"(c := (d := f.get(k{place}_0)).__class__) is D and (v := d.get(k{place}_1, M)) is not M"
        return f"(v if {nested} else {general} if c is L else {whole})"
    namespace[f"o{place}"] = spellings(keys)[1:]
    namespace[f"i{place}"] = spellings(keys[1:])
    inside = f"(d := f.get(k{place}_0)) is None or d.__class__ is D and d.keys().isdisjoint(i{place})"
    return f"(M if ({inside}) and f.keys().isdisjoint(o{place}) else {general})"


def spellings(keys: Sequence[str]) -> tuple[str, ...]:
    """Return what a path of `keys` can begin with when dots stand in keys: a, a.b, a.b.c."""
    return tuple(".".join(keys[:size]) for size in range(1, len(keys) + 1))


def _tupled(value: Found) -> object:
    """Return a short list of texts as a tuple, all else as it is. Raises TypeError for other lists."""
    if value.__class__ is not list:
        return value
    items = cast("list[object]", value)
    if len(items) <= LIST_ITEMS and all(map(_is_text, items)):
        return tuple(items)
    raise TypeError


def _is_text(value: object) -> bool:
    return value.__class__ is str


def _hashed(value: Found) -> object:
    """Return a value that has a hash: short lists of texts (policies, groups) can be sorted by as well."""
    if isinstance(value, list) and len(value) <= LIST_ITEMS and all(isinstance(item, str) for item in value):
        return tuple(value)
    if isinstance(value, list | dict):
        raise UnsortedError
    return value
