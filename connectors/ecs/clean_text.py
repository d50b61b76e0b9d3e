"""Whether the JSON text of a record can hold a secret at all, without walking the record.

Most records hold none, and looking over the text once is several times cheaper than looking at every key
and text of the record. The answer may be wrong in one direction only: a text called clean is one that
`connectors.ecs.redaction.redact` leaves as it is; a test with planted secrets compares the two.
"""

from __future__ import annotations

import re
from typing import Final

from connectors.ecs.redaction import LIST_LIMIT, STRING_LIMIT, is_secret_key

_LIMIT: Final = 64 * 1024
_CLASS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/+"
_RUNS: Final = bytes(ord("a") if c in _CLASS else ord("=") if c == ord("=") else ord(" ") for c in range(256))
_RUN: Final = b" " + b"a" * 40 + b" "
# The letters of an escape (\\n, \\u0001) stand before a run as if they were part of it.
_RUNS_AFTER_ESCAPE: Final = (b" " + b"a" * 41 + b" ", b" " + b"a" * 45 + b" ")
# A value that a secret-named key may show: hashed, empty, no text, or an object (its keys are read too).
_SHOWN: Final = rb"""(?=:)(?!:(?:"hmac-sha256:|""|[0-9tfn{-]))"""
# What follows a secret's name in JSON text: the end of a key, or an assignment inside a text.
_END: Final = rb"""(?:"%b|[=%%\\'\s]|:[\s\\])""" % _SHOWN
# Each pattern begins with one rare letter, so that the search is a memchr; all read lower-case text.
_NAMES: Final = tuple(
    re.compile(pattern).search
    for pattern in (
        rb"p(?:ass(?:word|wd|phrase)?%b|wd%b|rivate[_-]?key(?:[_-]?data)?\"%b|laintext\"%b|(?<=\"otp)\"%b)"
        % (_END, _END, _SHOWN, _SHOWN, _SHOWN),
        rb"k(?:(?<=tok)en%b|(?<=[i_-]k)ey%b|ey[_-]?material\"%b|(?<=[lt]k)ey\"%b)"
        % (_END, _END, _SHOWN, _SHOWN),
        rb"c(?:(?<=sec)ret(?:[_-]?(?:access[_-]?)?(?:key|string|text|value|binary))?%b|redentials\"%b)"
        % (_END, _SHOWN),
        rb"z(?<=authoriz)ation\"%b" % _SHOWN,
        rb"j(?<=\"j)wt\"%b" % _SHOWN,
        rb"g(?<=string)[_-]?data\"",
    )
)
_HASHED: Final = b"hmac-sha256:"
_NAME: Final = re.compile(rb'"name":"((?:[^"\\]|\\.)*)"').findall
_JWT_HEAD: Final = re.compile(rb"eyJ[A-Za-z0-9_-]*+(\.?)").findall
_VAULT: Final = re.compile(rb"\.(?<=[sbr]\.)[A-Za-z0-9_-]{20}").search


def is_clean(raw: bytes) -> bool:
    """Return True only if redaction leaves the value of the compact JSON text `raw` as it is.

    Text that is not ASCII, is over 64 KiB or may hold a cut list or text is never called clean.
    """
    if not raw.isascii() or not _short(raw):
        return False
    if (b"J" in raw and any(_JWT_HEAD(raw))) or b"-----BEGIN" in raw or _VAULT(raw):
        return False
    if b"@" in raw and b"://" in raw:
        return False
    if b'"value":"' in raw and any(is_secret_key(name.decode()) for name in _NAME(raw)):
        return False
    runs = raw.translate(_RUNS)
    if _RUN in runs or (b"\\" in raw and any(run in runs for run in _RUNS_AFTER_ESCAPE)):
        return False
    lower = raw.lower()
    for search in _NAMES:
        if search(lower):
            return False
    return _HASHED not in lower or lower.count(_HASHED) == raw.count(_HASHED)


def _short(raw: bytes) -> bool:
    """Whether no list can have more than 1,000 items and no text more than 8 KiB."""
    size = len(raw)
    if size > 2 * LIST_LIMIT and raw.count(b",") >= LIST_LIMIT:
        return False
    if size <= STRING_LIMIT:
        return True
    return size <= _LIMIT and b"\\" not in raw and max(map(len, raw.split(b'"'))) <= STRING_LIMIT
