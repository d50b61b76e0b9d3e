"""Text of attackers, made harmless to the eye: control and direction characters become visible codes."""

from __future__ import annotations

import re
from typing import Final

from markupsafe import Markup

# C0 and C1 but newline and tab; soft hyphen; zero width and bidi controls; line separators; BOM; tags.
_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    """Return `text` with every character that hides or turns others written as ``\\u{XXXX}``."""
    return _HIDDEN.sub(lambda found: f"\\u{{{ord(found.group()):04x}}}", text)


def clip(text: str, length: int) -> str:
    """Return `text` cut to `length` characters, the cut marked."""
    return text if len(text) <= length else text[: length - 1] + "…"


def finalize(value: object) -> object:
    """Make every value that a template prints visible; markup that was made safe stays as it is."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value
