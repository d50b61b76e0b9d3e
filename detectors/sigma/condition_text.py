"""What conditions say beyond pySigma's grammar (`2 of selection_*`); what is of Sigma 1 is refused."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from itertools import combinations
from math import comb
from typing import Any, Final, cast

from detectors.sigma.document import MalformedRuleError, UnsupportedConstructError

MAX_WAYS: Final = 500
"""`N of` is written out as every choice of N names; more choices than this are refused."""
_COUNTED: Final = re.compile(r"(?<![\w*-])(\d{1,4})\s+of\s+([\w*-]+)")
_NAME: Final = re.compile(r"[\w-]+\Z")


def written_out(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with each `N of` of its conditions (N from 2) as and, or. Raises SigmaRuleError."""
    out = dict(document)
    for section in ("detection", "filter"):
        given: object = document.get(section)
        if isinstance(given, dict) and "condition" in given:
            out[section] = _section(cast("dict[object, object]", given))
    return out


def _section(section: dict[object, object]) -> dict[object, object]:
    if "timeframe" in section:
        raise UnsupportedConstructError(
            "`timeframe` belongs to aggregations of Sigma 1",
            "Write a correlation with a timespan",
            "timeframe",
        )
    names = [name for name in section if isinstance(name, str) and name not in ("condition", "rules")]
    given = section["condition"]
    texts = cast("list[object]", given) if isinstance(given, list) else [given]
    written = [_written(text, names) for text in texts]
    return {**section, "condition": written if isinstance(given, list) else written[0]}


def _written(text: object, names: Iterable[str]) -> object:
    if not isinstance(text, str):
        return text
    if "|" in text:
        raise UnsupportedConstructError(
            "the pipe syntax of Sigma 1 (aggregations) is not read",
            "Write a correlation: event_count, value_count, temporal",
            "condition:",
        )
    return _COUNTED.sub(lambda found: _choices(found[0], int(found[1]), found[2], names), text)


def _choices(said: str, count: int, pattern: str, names: Iterable[str]) -> str:
    if count == 1:
        return said
    if pattern == "them":
        known = [name for name in names if not name.startswith("_")]
    else:
        known = [name for name in names if fnmatchcase(name, pattern)]
    known = [name for name in known if _NAME.match(name)]
    if count == 0:
        raise MalformedRuleError(f"`{said}` asks for nothing", f"Write not 1 of {pattern}", "condition:")
    if count > len(known):
        raise MalformedRuleError(
            f"`{said}` can never hold: {len(known)} detections have such a name",
            "Ask for fewer, from 1 to as many as there are",
            "condition:",
        )
    if comb(len(known), count) > MAX_WAYS:
        raise UnsupportedConstructError(
            f"`{said}` has more than {MAX_WAYS} choices", "Ask for fewer of fewer", "condition:"
        )
    ways = (" and ".join(f"1 of {name}" for name in way) for way in combinations(known, count))
    return f"({' or '.join(f'({way})' for way in ways)})"
