"""The oracle's own reading of text: what a JSON value reads as, and how a Sigma string matches it.

Written from the specification and `docs/sigma-semantics.md` alone; nothing of the engine is imported.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

ANY, ONE = object(), object()
"""The wildcards ``*`` and ``?`` among the characters of a pattern."""
Tokens = list[Any]


def tokens(text: str) -> Tokens:
    r"""Return a Sigma string's characters, wildcards as ANY and ONE; ``\*``, ``\?``, ``\\`` are plain."""
    out: Tokens = []
    place = 0
    while place < len(text):
        char, following = text[place], text[place + 1 : place + 2]
        if char == "\\" and following and following in "*?\\":
            out.append(following)
            place += 2
            continue
        out.append({"*": ANY, "?": ONE}.get(char, char))
        place += 1
    return out


def folded(pattern: Tokens) -> Tokens:
    """Return the pattern without regard to case: the text is folded the same way before it is matched."""
    return [char for token in pattern for char in (token.casefold() if isinstance(token, str) else [token])]


def matches(pattern: Tokens, text: str) -> bool:
    """Return whether the whole text matches: one row of a table a token, every way tried, none skipped."""
    reached = {0}
    for token in pattern:
        if not reached:
            return False
        if token is ANY:
            reached = set(range(min(reached), len(text) + 1))
        elif token is ONE:
            reached = {place + 1 for place in reached if place < len(text)}
        else:
            reached = {place + 1 for place in reached if text[place : place + 1] == token}
    return len(text) in reached


def text_of(value: Any) -> str | None:
    """Return a value as text: words for booleans, compact JSON for objects, None for null."""
    if value is None or isinstance(value, str):
        return value
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return str(value)


def opened(value: Any) -> Iterator[Any]:
    """Yield the elements of a list at any depth, or the value itself."""
    if isinstance(value, list):
        for inner in value:
            yield from opened(inner)
    else:
        yield value


def texts(value: Any) -> list[str]:
    """Return the texts of a field's values."""
    return [text for leaf in opened(value) if (text := text_of(leaf)) is not None]


def everywhere(value: Any) -> Iterator[str]:
    """Yield each key and each value's text of an event, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from everywhere(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from everywhere(inner)
    elif (text := text_of(value)) is not None:
        yield text
