"""The command of an exec as it may be shown: its first word, and how many arguments follow.

Nothing tells a password (`mysql -psecret`) from any other argument, so none is shown; the record itself has
them.
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import parse_qsl, unquote_plus

from connectors.ecs.mask import MASK
from connectors.sources.untrusted import clean

_PARAMETERS: Final = frozenset({"command", "cmd"})
_MOST: Final = 128
_QUERY: Final = re.compile(r"\?[^\s\"'<>]+")
_WORD: Final = re.compile(r"[^\s=]{1,128}")


def without_arguments(text: str) -> str:
    """Return `text`, a URI or a message with one, with only the first word of a command in its query."""
    if "ommand" not in text and "cmd" not in text and "%" not in text:
        return text
    shown = _QUERY.sub(lambda found: "?" + _query(found.group()[1:]), text)
    return shown if shown != text else text


def command_of(query: str) -> dict[str, Any]:
    """Return ECS `process` fields of a query that `without_arguments` gave: {} where it holds no command.

    args_count counts the words that the caller sent as words of their own.
    """
    try:
        asked = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST)
    except ValueError:
        return {}
    words = [value for key, value in asked if key in _PARAMETERS]
    if not words or not words[0] or words[0] == MASK:
        return {}
    first = words[0][:1024]
    return {"args": [first], "args_count": len(words), "command_line": first}


def _query(query: str) -> str:
    first = True
    parts: list[str] = []
    for part in query.split("&"):
        key, equals, value = part.partition("=")
        if equals and unquote_plus(key) in _PARAMETERS:
            part = f"{key}={_first(value) if first else MASK}"
            first = False
        parts.append(part)
    return "&".join(parts)


def _first(value: str) -> str:
    """The program of a command, without what follows it in the same text (`sh -c ...` as one word)."""
    said = unquote_plus(value)
    if said == MASK:
        return MASK
    found = _WORD.match(said)
    word = clean(found[0]) if found else ""
    whole = found is not None and found[0] == said
    return value if whole and word == said else word or MASK
