"""Regular expressions of a pipeline, in linear time (RE2): they read rules, which others write."""

from __future__ import annotations

from typing import Any, cast

import re2  # pyright: ignore[reportMissingTypeStubs]

from detectors.sigma.document import UnsupportedConstructError


def linear(expression: str) -> Any:
    """Return `expression` compiled; it has match, search, sub, groupindex as a pattern of `re`.

    Raises UnsupportedConstructError for what RE2 does not compile: look-around, back-references.
    """
    engine = cast(Any, re2)
    options = engine.Options()
    options.log_errors = False
    try:
        return engine.compile(expression, options)
    except (engine.error, UnicodeEncodeError) as error:
        said = error.args[0] if error.args else type(error).__name__
        told = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        raise UnsupportedConstructError(
            f"the regular expression does not compile in linear time: {told}",
            "Write it without look-around and back-references",
            expression,
        ) from error
