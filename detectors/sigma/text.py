"""How a value reads as text, and how a Sigma string with wildcards matches text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from sigma.types import SigmaString, SpecialChars

from detectors.event import Json
from detectors.sigma.document import UnsupportedConstructError
from detectors.sigma.path import Found, leaves
from detectors.sigma.wildcard import Part

PatternKind: TypeAlias = Literal["equals", "contains", "startswith", "endswith", "glob"]


def text_of(value: Json) -> str | None:
    """Return `value` as the text that a string pattern is held against; None for null.

    Booleans read ``true`` and ``false``; a whole object reads as compact JSON (CloudTrail rules
    search ``requestParameters`` that way).
    """
    if isinstance(value, str):
        return value
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def texts(found: Found) -> Iterator[str]:
    """Yield the text of every value of `found`."""
    for leaf in leaves(found):
        text = text_of(leaf)
        if text is not None:
            yield text


@dataclass(frozen=True, slots=True)
class Pattern:
    """A Sigma string: its kind, and the text of the four plain kinds, or what stands between the ``*``."""

    kind: PatternKind
    text: str
    parts: tuple[Part, ...] = ()


def pattern(value: SigmaString, *, cased: bool) -> Pattern:
    """Return the pattern of a Sigma string; case folded unless `cased`.

    Raises UnsupportedConstructError for a placeholder that nothing has filled in.
    """
    parts: list[str | None] = []
    singles: list[bool] = []
    for part in value.s:
        if isinstance(part, str):
            parts.append(part if cased else part.casefold())
        elif isinstance(part, SpecialChars):
            parts.append(None)
        else:
            raise UnsupportedConstructError(
                f"the placeholder %{part.name}% of 'expand' has no value",
                "Give it values in detection.placeholders, or write them out",
                part.name,
            )
        singles.append(part is SpecialChars.WILDCARD_SINGLE)
    plain = _plain(parts, singles)
    return plain if plain is not None else Pattern("glob", "", _parts(parts, singles))


def _plain(parts: list[str | None], singles: list[bool]) -> Pattern | None:
    if any(singles):
        return None
    if not parts:
        return Pattern("equals", "")
    match parts:
        case [str(text)]:
            return Pattern("equals", text)
        case [None] | [None, None]:
            return Pattern("contains", "")
        case [None, str(text), None]:
            return Pattern("contains", text)
        case [str(text), None]:
            return Pattern("startswith", text)
        case [None, str(text)]:
            return Pattern("endswith", text)
        case _:
            return None


def _parts(parts: list[str | None], singles: list[bool]) -> tuple[Part, ...]:
    """Return what stands between the ``*``."""
    out: list[list[str | None]] = [[]]
    for part, single in zip(parts, singles, strict=True):
        if part is None and not single:
            out.append([])
        else:
            out[-1].append(part)
    return tuple(tuple(part) for part in out)
