"""Whether the JSON text of a record can hold a secret at all, without walking the record.

Most records hold none, and one look over the text is nearly ten times cheaper than looking at every key and
text of the record. The look is one alternation for Rust's `regex` (through pydantic-core, which every part of
Davylamp loads anyway): one pass, linear time whatever the text. It may be wrong in one direction only: a text
called clean is one that `connectors.ecs.redaction.redact` leaves as it is; a test with planted secrets
compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pydantic_core import SchemaValidator, core_schema

from connectors.ecs.redaction import LIST_LIMIT, SECRET_ENDINGS, SECRET_KEYS, STRING_LIMIT, WHOLE_OBJECTS

_LIMIT: Final = 64 * 1024
_HASHED: Final = "hmac-sha256:"


def _any(words: Iterable[str]) -> str:
    return "|".join(sorted(words, key=lambda word: (-len(word), word)))


def _pattern() -> str:
    """What compact ASCII JSON text must hold for redaction to change it.

    Inside a text a quote, and a space other than " ", begins with a backslash; the letters of an escape stand
    before a word as if they were part of it.
    """
    keys, endings, whole = _any(SECRET_KEYS), _any(SECRET_ENDINGS), _any(WHOLE_OBJECTS)
    parts = (f"{_HASHED[:at]}[^{_HASHED[at]}]" for at in range(1, len(_HASHED)))
    not_hashed = "|".join([f'[^"{_HASHED[0]}]', *parts])
    # A list, or a text that is neither hashed nor empty. Below an object the walk reads on, and so does this.
    hidden = rf'":(?:\[|"(?-i:{not_hashed}))'
    word = (
        "(?:pass(?:word|wd|phrase)?|pwd|secret(?:_?(?:access_?)?(?:key|string|text|value))?|token|api_?key)"
    )
    sign = r"(?:=|%3[ad]|\\|'[ \\:=]|:[ \\]| {1,4}(?:\\|[^ ]{40}))"
    escape = r"\\[nrtbf]|\\u[0-9a-f]{4}"
    before, apart = rf"(?:[^A-Za-z0-9/+=]|{escape})", rf"(?:[^A-Za-z0-9]|{escape})"
    return "|".join(
        (
            rf'(?i:"(?:{keys}){hidden}|(?:{endings}){hidden}|"(?:{whole})":[\[{{"]|{word}{sign})',
            rf'"name":"(?i:(?:{keys})"|(?:[^"\\]|\\.)*(?:{endings})")',
            rf"{apart}(?:hv)?[sbr]\.[A-Za-z0-9_-]{{20}}",
            r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.",
            r"-----BEGIN ",
            r"(?i:bearer(?: |%20|\+))",
            r"auth/token/(?:lookup|re)",
            r"/(?:exec|run/)(?:[^\"\\]|\\.)*\?|\?(?:[^\"\\]|\\.)*/(?:exec|run/)",
            r"\\\"(?i:name)\\",
            r"(?:\\\"|')(?:(?:request|response)Object|(?:string|binary)Data|data)(?:\\|')",
            r"://[^/@ ]*:[^/@ ]+@",
            rf"{before}[A-Za-z0-9/+]{{40}}[^A-Za-z0-9/+=]",
        )
    )


_suspicious: Final = SchemaValidator(core_schema.str_schema(pattern=_pattern())).isinstance_python


def is_clean(text: str) -> bool:
    """Return True only if redaction leaves the value of the compact JSON `text` as it is.

    Text that is not ASCII, is over 64 KiB or may hold a cut list or text is never called clean.
    """
    return text.isascii() and _short(text) and not _suspicious(text)


def _short(text: str) -> bool:
    """Whether no list can have more than 1,000 items and no text more than 8 KiB."""
    size = len(text)
    if size <= 2 * LIST_LIMIT:
        return True
    if text.count(",") >= LIST_LIMIT:
        return False
    if size <= STRING_LIMIT:
        return True
    if size > _LIMIT:
        return False
    if "\\" in text:
        text = text.replace("\\\\", "x").replace('\\"', "x")
    return max(map(len, text.split('"'))) <= STRING_LIMIT
