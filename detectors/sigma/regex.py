"""Regular expressions of rules, in linear time (RE2): they read text that an attacker writes.

Sigma's `re` is PCRE by name; what RE2 has not (look-around, back-references, possessive repetition) is
refused at load time. Expressions search, they are not anchored.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, cast

import re2  # pyright: ignore[reportMissingTypeStubs]

from detectors.sigma.document import UnsupportedConstructError

MAX_TEXT: Final = 65_536
_HALVES: Final = re.compile("[\ud800-\udfff]")
_FLAGS: Final = ((re.IGNORECASE, "i"), (re.MULTILINE, "m"), (re.DOTALL, "s"))


class TextTooLongError(ValueError):
    """A regular expression is not tried on such a long text; the engine counts it as an error."""


def search_test(expression: str, flags: int) -> Callable[[str], bool]:
    """Return a test that searches `expression` (case-sensitive unless flagged with `re.IGNORECASE`).

    Raises UnsupportedConstructError for what RE2 does not compile. The test raises TextTooLongError over
    64 Ki characters; half of a surrogate pair is read as U+FFFD, as it is no character.
    """
    letters = "".join(letter for flag, letter in _FLAGS if flags & flag)
    engine = cast(Any, re2)
    options = engine.Options()
    options.log_errors = False
    options.never_capture = True
    try:
        written = f"(?{letters}){expression}" if letters else expression
        search = engine.compile(written.encode(), options).search
    except (engine.error, UnicodeEncodeError) as error:
        raise UnsupportedConstructError(
            f"the regular expression does not compile in linear time: {_said(error)}",
            "Write it without look-around and back-references, or with contains, startswith and endswith",
            expression,
        ) from error

    def test(text: str) -> bool:
        if len(text) > MAX_TEXT:
            raise TextTooLongError(f"text of {len(text)} characters for a regular expression")
        try:
            return search(text.encode()) is not None
        except UnicodeEncodeError:
            return search(_HALVES.sub("\ufffd", text).encode()) is not None

    return test


def _said(error: Exception) -> str:
    first = error.args[0] if error.args else type(error).__name__
    return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)
