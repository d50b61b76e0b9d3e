"""Values of rules as JSON and back: ``["=", "text", 1]`` is a Sigma string that ends in ``*``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from sigma.exceptions import SigmaError
from sigma.types import (
    CompareOperators,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaRegularExpressionFlag,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
    TimestampPart,
)

from detectors.sigma.document import SigmaRuleError
from detectors.sigma.values import value_test

_WILDCARDS: Final = {SpecialChars.WILDCARD_MULTI: 1, SpecialChars.WILDCARD_SINGLE: 2}
_SPECIAL: Final = {code: char for char, code in _WILDCARDS.items()}
_STRINGS: Final[Mapping[str, type[SigmaString]]] = {"=": SigmaString, "==": SigmaCasedString}


class StoredError(ValueError):
    """A stored text is not what we write."""


class UnstorableError(ValueError):
    """Something has no stored form; what holds it is compiled again each time."""


def written(value: SigmaType) -> Any:
    """Return a value as JSON values. Raises UnstorableError."""
    match value:
        case SigmaString():
            for tag, kind in _STRINGS.items():
                if type(value) is kind:
                    return [tag, *map(_part, value.s)]
        case SigmaTimestampPart():
            return ["time", value.timestamp_part.name, value.number]
        case SigmaNumber():
            return ["number", value.number]
        case SigmaBool():
            return ["bool", value.boolean]
        case SigmaNull():
            return ["null"]
        case SigmaExists():
            return ["exists", value.exists]
        case SigmaRegularExpression() if _is_plain(value.regexp):
            return ["re", str(value.regexp), *sorted(flag.name for flag in value.flags)]
        case SigmaCIDRExpression():
            return ["cidr", value.cidr]
        case SigmaCompareExpression():
            return ["compare", value.op.name, written(value.number)]
        case _:
            pass
    raise UnstorableError(f"a {type(value).__name__} is not stored")


def _part(part: object) -> str | int:
    if isinstance(part, str):
        return part
    if isinstance(part, SpecialChars):
        return _WILDCARDS[part]
    raise UnstorableError("a placeholder without a value is not stored")


def _is_plain(text: SigmaString) -> bool:
    """Return whether a regular expression's text reads back as it was."""
    return SigmaRegularExpression(str(text)).regexp.s == text.s


class ValueReader:
    """Reads values; equal strings become one object, as many rules name the same programs."""

    def __init__(self) -> None:
        self._strings: dict[tuple[object, ...], SigmaString] = {}
        self._readers: Mapping[str, Callable[[list[Any]], SigmaType]] = {
            "time": lambda data: SigmaTimestampPart(TimestampPart[data[0]], _number(data[1])),
            "number": lambda data: SigmaNumber(_number(data[0])),
            "bool": lambda data: SigmaBool(_flag(data[0])),
            "null": lambda _: SigmaNull(),
            "exists": lambda data: SigmaExists(_flag(data[0])),
            "re": _regex,
            "cidr": lambda data: SigmaCIDRExpression(_text(data[0])),
            "compare": self._compare,
        }

    def read(self, data: object) -> SigmaType:
        """Return the value of `data`; what is not a string is tried, so that it can be evaluated.

        Raises StoredError, TypeError, KeyError, IndexError.
        """
        if data.__class__ is not list or not data:
            raise StoredError("no value")
        tag, *rest = cast("list[Any]", data)
        kind = _STRINGS.get(tag)
        if kind is not None:
            return self._string(kind, cast("list[Any]", data))
        try:
            value = self._readers[tag](rest)
            value_test([value])
        except (SigmaError, SigmaRuleError) as error:
            raise StoredError(str(error)) from error
        return value

    def _string(self, kind: type[SigmaString], data: list[Any]) -> SigmaString:
        # Its `original` stays empty: only pySigma's own parsing reads it, which is over.
        key = tuple(data)
        known = self._strings.get(key)
        if known is None:
            known = kind()
            for part in data[1:]:
                known.s.append(part if part.__class__ is str else _SPECIAL[part])
            self._strings[key] = known
        return known

    def _compare(self, data: list[Any]) -> SigmaType:
        number = self.read(data[1])
        if not isinstance(number, SigmaNumber):
            raise StoredError("no number to compare with")
        return SigmaCompareExpression(number, CompareOperators[data[0]])


def _regex(data: list[Any]) -> SigmaType:
    return SigmaRegularExpression(_text(data[0]), {SigmaRegularExpressionFlag[name] for name in data[1:]})


def _text(data: object) -> str:
    if not isinstance(data, str):
        raise StoredError("no text")
    return data


def _flag(data: object) -> bool:
    if not isinstance(data, bool):
        raise StoredError("neither true nor false")
    return data


def _number(data: object) -> Any:
    if isinstance(data, bool) or not isinstance(data, int | float):
        raise StoredError("no number")
    return data
