"""JSON text to values: fast where it is well formed, patient where it is not, a named reason at the end."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any, Final

import orjson

from connectors.sources.flattening import flattened
from connectors.sources.reject import Reason, Reject

MAX_NESTING: Final = 100
SHORTEST: Final = 20
"""Bytes; no event and no envelope with an event inside is shorter: a time alone takes as many."""
SHORTEST_JSON: Final = 48
"""Bytes; no event in JSON is shorter."""
TINY: Final = object()
"""Stands for what is too short for an event and was not decoded."""
_VALUES: Final = 2
_WORTH_PATIENCE: Final = 48
_WORTH_SPLITTING: Final = 64
_MENDABLE: Final = (b"\\u", b"NaN", b"Infinity")
BOM: Final = b"\xef\xbb\xbf"
_AFTER_BRACE: Final = frozenset({b"", b'"', b"}", b" ", b"\t", b"\r"})
_CUT: Final = re.compile(rb"\[Truncated\.{3}\]?\s*\Z")
_LEVELS_AROUND: Final = range(254 - MAX_NESTING)
_SPACE: Final = re.compile(r"\s*")
_TOKEN: Final = re.compile(
    rb'"(?:[^"\\]++|\\.)*+"?+|(-?[0-9]++(?:\.[0-9]++)?+(?:[eE][+-]?+[0-9]++)?+)', re.DOTALL
)
_LONGEST_NUMBER: Final = 4096
_DOUBLE_DIGITS: Final = 309
"""A double holds every whole number of fewer digits."""


class MoreFollows(Reject):
    """The text begins with a whole JSON value, and more text comes after it."""


class _NotFiniteError(ValueError):
    pass


def _refuse(_constant: str) -> Any:
    raise _NotFiniteError


def _fraction(number: str) -> Any:
    return found if math.isfinite(found := float(number)) else number


def _whole(number: str) -> Any:
    return int(number) if len(number) < _DOUBLE_DIGITS else number


_PATIENT: Final = json.JSONDecoder(parse_constant=_refuse, parse_float=_fraction, parse_int=_whole)


def few_brackets(text: bytes) -> bool:
    """Return whether `text` holds at most 100 opening brackets: then it cannot be nested deeper.

    `replace` looks with memchr and stops at the limit; `count` of a byte takes ten times as long.
    """
    objects = len(text) - len(text.replace(b"{", b"", MAX_NESTING + 1))
    return objects + len(text) - len(text.replace(b"[", b"", MAX_NESTING + 1)) <= MAX_NESTING


def shallow(value: Any) -> bool:
    """Return whether a decoded value is nested at most 100 levels.

    orjson writes 254 levels and refuses the next, so 154 more around the value make it count.
    """
    for _ in _LEVELS_AROUND:
        value = (value,)
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        return False
    return True


def decode(text: bytes) -> Any:
    """Return the one JSON value of `text`. Raises Reject with the reason.

    What a caller can write must not hide the event that holds it: a lone surrogate becomes "?", a number too
    large for a double its text, and what is nested over 100 levels the text of its JSON.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return _patient(text, error)
    return _levelled(text, value)


def _levelled(text: bytes, value: Any) -> Any:
    return value if few_brackets(text) or shallow(value) else flattened(value, MAX_NESTING)


def _patient(text: bytes, error: orjson.JSONDecodeError) -> Any:
    said = error.msg
    if "depth" in said:
        raise Reject(Reason.TOO_DEEP, "nested over 1,024 levels")
    if "infinity" in said:
        return _finite(text)
    if b"[Truncated." in text[-64:] and _CUT.search(text[-64:]):
        raise Reject(Reason.TRUNCATED, "cut by its writer")
    if len(text) < _WORTH_PATIENCE or not any(mark in text for mark in _MENDABLE):
        raise _unreadable(text, error)
    try:
        value = _PATIENT.decode(text.decode("utf-8"))
        plain = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    except _NotFiniteError:
        raise Reject(Reason.NAN, "NaN or Infinity is not JSON") from None
    except RecursionError:
        raise Reject(Reason.TOO_DEEP, "nested too deep to be mended") from None
    except json.JSONDecodeError as wrong:
        if wrong.msg.startswith("Extra data"):
            raise MoreFollows(Reason.BAD_JSON, f"character {wrong.pos}: more after the value") from None
        raise _unreadable(text, error) from None
    except ValueError:
        raise _unreadable(text, error) from None
    return _again(plain)


def _unreadable(text: bytes, error: orjson.JSONDecodeError) -> Reject:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as wrong:
        return Reject(Reason.NOT_UTF8, f"byte {wrong.start} is not UTF-8")
    detail = f"character {error.pos}: {error.msg}"
    if "after document" in error.msg:
        return MoreFollows(Reason.BAD_JSON, detail)
    return Reject(Reason.TRUNCATED if "end of data" in error.msg else Reason.BAD_JSON, detail)


def _again(plain: bytes) -> Any:
    try:
        value = orjson.loads(plain)
    except orjson.JSONDecodeError:
        raise Reject(Reason.TOO_DEEP, "nested over 1,024 levels") from None
    return _levelled(plain, value)


def _finite(text: bytes) -> Any:
    """Return the value of `text` with the numbers that no double can hold as texts."""
    finite = _TOKEN.sub(_quoted, text)
    try:
        return _levelled(finite, orjson.loads(finite))
    except orjson.JSONDecodeError as error:
        if "infinity" in error.msg:
            raise Reject(Reason.NAN, "a number is too large") from None
        return _patient(finite, error)


def _quoted(token: re.Match[bytes]) -> bytes:
    number = token[1]
    if number is None or (len(number) < _LONGEST_NUMBER and math.isfinite(float(number))):
        return token[0]
    return b'"' + number + b'"'


def too_short(text: bytes) -> bool:
    """Return whether stripped `text` is too short for an event, or for the JSON that it begins as."""
    return len(text) < SHORTEST or (len(text) < SHORTEST_JSON and text[:1] in {b"{", b"["})


def no_object(text: bytes) -> bool:
    """Return whether `text` begins as an object and can be read as none, nor mended: no name, no end follows.

    Known from its second byte, where decoding would raise: many such texts must stay cheap.
    """
    return text[:1] == b"{" and text[1:2] not in _AFTER_BRACE and b"\n" not in text


def several(text: bytes) -> Iterator[tuple[bytes, Any]]:
    """Yield (text, value) of each line of JSON Lines, or of each value in a line with several.

    A piece that cannot be read comes as (text, Reject) and does not lose the others; what is too short for
    an event comes as (text, TINY), not decoded.
    """
    for line in BytesIO(text):
        piece = line.strip()
        if too_short(piece):
            if piece:
                yield piece, TINY
            continue
        try:
            yield piece, decode(piece)
        except MoreFollows as reject:
            if len(piece) < _WORTH_SPLITTING:
                yield piece, reject
            else:
                yield from concatenated(piece)
        except Reject as reject:
            yield piece, reject


def concatenated(text: bytes) -> Iterator[tuple[bytes, Any]]:
    """Yield (text, value) of JSON values that stand one after another, also over several lines.

    Values shorter than 32 characters on average are no events: such a text ends with a Reject.
    """
    try:
        readable = text.decode("utf-8")
    except UnicodeDecodeError as wrong:
        yield text, Reject(Reason.NOT_UTF8, f"byte {wrong.start} is not UTF-8")
        return
    at, count = _past_space(readable, 0), 0
    while at < len(readable):
        count += 1
        try:
            if count > _VALUES + at // 32:
                raise Reject(Reason.BAD_JSON, f"character {at}: too many values too short for an event")
            _, end = _PATIENT.raw_decode(readable, at)
            piece = readable[at:end].encode("utf-8", "replace")
            yield piece, decode(piece)
        except Reject as reject:
            yield readable[at:].encode("utf-8", "replace"), reject
            return
        except RecursionError:
            yield text, Reject(Reason.TOO_DEEP, f"nested over {MAX_NESTING} levels")
            return
        except ValueError:
            rest = readable[at:].encode("utf-8", "replace")
            yield rest, Reject(Reason.BAD_JSON, f"character {at}: text that is not JSON")
            return
        at = _past_space(readable, end)


def _past_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at
