"""Text of events in sentences for people: bounded and without control characters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from detectors.identifier import digest16

MAX_SENTENCE: Final = 600
MAX_NAME: Final = 200


def plain(text: str, limit: int = MAX_NAME) -> str:
    """Return `text` on one line, unprintable characters as ``?``, at most `limit` characters.

    Attackers write names: bidirectional marks and line breaks must not reorder or forge a sentence.
    """
    if len(text) <= limit and text.isprintable():
        return text
    shown = text[: limit + 1]
    if not shown.isprintable():
        shown = "".join(char if char.isprintable() else "?" for char in shown)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def key_part(text: str) -> str:
    """Return `text` as part of a key: whole up to 200 characters, else its head and its hash."""
    return text if len(text) <= MAX_NAME else f"{text[:180]}~{digest16(text)}"


def listed(names: Sequence[str], shown: int = 5) -> str:
    """Return names for a sentence: the first `shown`, and how many more there are."""
    text = ", ".join(plain(name, 80) for name in names[:shown])
    more = len(names) - shown
    return f"{text} and {more} more" if more > 0 else text
