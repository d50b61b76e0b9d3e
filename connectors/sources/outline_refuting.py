"""A second look at lines whose sort some rules may match: the rules' other fields, where they are plain.

The engine sorts events by few fields; a rule that needs one more is tried on every event of its sort. Here
the further fields are read in outline, and a line is passed by when they make every such rule false.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from detectors.sigma.path import Found
from detectors.sigma.refutation import Partial, compile_partial, fields_of
from detectors.sigma.rule import Rule

REMEMBERED: Final = 4096
LONGEST: Final = 1024
"""Characters of the values together that are remembered."""
MOST_FIELDS: Final = 64
SAMPLES: Final = 128
FEW: Final = 24
"""A field with more values among the samples is looked at only where the others do not decide."""
Typed = tuple[object, ...]
"""The values that a verdict rests on, each after its class: 1, 1.0 and True are equal and not the same."""


class Tried(Protocol):
    """A rule ready to be tried on events of one source."""

    @property
    def rule(self) -> Rule:
        """The rule."""
        ...


class Refuting:
    """Says of events of one sort whether any of `rules` may hold for them, by the values of `paths`.

    What it learns from the first events is which fields have few values: verdicts by those are remembered,
    and only where they leave a rule open the others are looked at. `typed_of` gives the function that reads
    some of the paths.
    """

    def __init__(
        self,
        rules: Sequence[Tried],
        paths: Sequence[str],
        aliases: Mapping[str, str],
        typed_of: Callable[[Sequence[str]], Callable[[Any], Typed]],
    ) -> None:
        self._rules = rules
        self._aliases = aliases
        self._typed_of = typed_of
        self._paths = paths
        self._whole = typed_of(paths)
        self._partial: list[Partial] = self._compiled(paths)
        self._samples: list[Typed] | None = []
        self._few: Callable[[Any], Typed] = self._whole
        self._few_partial: list[Partial] = []
        self._verdicts: dict[Typed, bool] = {}

    def may_hold(self, event: Any) -> bool:
        """Return whether a rule may hold; raises what a test raises on a hostile value."""
        if self._samples is not None:
            return self._learn(self._whole(event))
        typed = self._few(event)
        known = self._verdicts.get(typed)
        if known is None:
            known = _open(self._few_partial, typed)
            if _size(typed) <= LONGEST:
                if len(self._verdicts) >= REMEMBERED:
                    self._verdicts.clear()
                self._verdicts[typed] = known
        return known and (self._few is self._whole or _open(self._partial, self._whole(event)))

    def _learn(self, typed: Typed) -> bool:
        assert self._samples is not None
        self._samples.append(typed)
        if len(self._samples) >= SAMPLES:
            columns = [[sample[place] for sample in self._samples] for place in range(1, len(typed), 2)]
            few = [path for path, found in zip(self._paths, columns, strict=True) if _few(found)]
            self._few, self._few_partial = self._typed_of(few), self._compiled(few)
            self._samples = None
        return _open(self._partial, typed)

    def _compiled(self, paths: Sequence[str]) -> list[Partial]:
        return [compile_partial(tried.rule.condition, paths, self._aliases) for tried in self._rules]


def _few(values: Sequence[object]) -> bool:
    return not any(isinstance(value, dict) for value in values) and len({*values}) <= FEW


def _open(partial: Sequence[Partial], typed: Typed) -> bool:
    values: list[Found] = [_value(value) for value in typed[1::2]]
    return any(test(values) is not False for test in partial)


def further_fields(rules: Sequence[Tried], aliases: Mapping[str, str]) -> frozenset[str]:
    """Return the paths that the rules test; empty when one of them cannot be refuted by fields."""
    found: frozenset[str] = frozenset()
    for tried in rules:
        fields = fields_of(tried.rule.condition, aliases)
        if not fields:
            return frozenset()
        found |= fields
    return found


def _value(value: Any) -> Found:
    return [*value] if type(value) is tuple else value


def _size(typed: Typed) -> int:
    return sum(map(len, (value for value in typed if isinstance(value, str | tuple))))
