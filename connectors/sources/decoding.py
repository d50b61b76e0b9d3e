"""JSON text to values: fast where it is well formed, patient where it is not, a named reason at the end."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import orjson

from connectors.sources.reject import Reason, Reject

MAX_NESTING: Final = 100
BOM: Final = b"\xef\xbb\xbf"
_CUT: Final = re.compile(rb"\[Truncated\.{3}\]?\s*\Z")
_QUOTED: Final = re.compile(rb'"[^"]*"')
_AS_BRACES: Final = bytes.maketrans(b"[]", b"{}")
_NO_BRACKETS: Final = bytes(sorted(set(range(256)) - set(b'{}[]"')))
_SPACE: Final = re.compile(r"\s*")


class _NotFiniteError(ValueError):
    pass


def _refuse(_constant: str) -> Any:
    raise _NotFiniteError


_PATIENT: Final = json.JSONDecoder(parse_constant=_refuse)


def shallow(text: bytes) -> bool:
    """Return whether valid JSON `text` is nested at most 100 levels.

    Counting brackets answers for most events. For the others the text is reduced to its brackets,
    strings taken out first, and the innermost pairs are removed once a level.
    """
    opened = text.count(b"{")
    if b"[" in text:
        opened += text.count(b"[")
    if opened <= MAX_NESTING:
        return True
    bare = text.replace(b"\\\\", b"") if b"\\\\" in text else text
    bare = bare.replace(b'\\"', b"") if b"\\" in bare else bare
    brackets = bare.translate(_AS_BRACES, _NO_BRACKETS).replace(b'""', b"")
    if b'"' in brackets:
        brackets = _QUOTED.sub(b"", brackets)
    for _ in range(MAX_NESTING):
        if not brackets:
            return True
        brackets = brackets.replace(b"{}", b"")
    return not brackets


def decode(text: bytes) -> Any:
    """Return the one JSON value of `text`. Raises Reject with the reason.

    A lone surrogate becomes "?", because a caller's text must not hide the event that holds it.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return _patient(text, error)
    if not shallow(text):
        raise Reject(Reason.TOO_DEEP, f"nested over {MAX_NESTING} levels")
    return value


def _patient(text: bytes, error: orjson.JSONDecodeError) -> Any:
    said = error.msg
    if "depth" in said:
        raise Reject(Reason.TOO_DEEP, f"nested over {MAX_NESTING} levels")
    if "infinity" in said:
        raise Reject(Reason.NAN, "a number is too large for a double")
    if _CUT.search(text[-64:]):
        raise Reject(Reason.TRUNCATED, "cut by its writer")
    try:
        readable = text.decode("utf-8")
    except UnicodeDecodeError as wrong:
        raise Reject(Reason.NOT_UTF8, f"byte {wrong.start} is not UTF-8") from None
    try:
        value = _PATIENT.decode(readable)
        plain = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    except _NotFiniteError:
        raise Reject(Reason.NAN, "NaN or Infinity is not JSON") from None
    except RecursionError:
        raise Reject(Reason.TOO_DEEP, f"nested over {MAX_NESTING} levels") from None
    except ValueError:
        reason = Reason.TRUNCATED if "end of data" in said else Reason.BAD_JSON
        raise Reject(reason, f"character {error.pos}: {said}") from None
    return _again(plain)


def _again(plain: bytes) -> Any:
    try:
        value = orjson.loads(plain)
    except orjson.JSONDecodeError:
        raise Reject(Reason.NAN, "a number is too large") from None
    if not shallow(plain):
        raise Reject(Reason.TOO_DEEP, f"nested over {MAX_NESTING} levels")
    return value


def several(text: bytes) -> Iterator[tuple[bytes, Any]]:
    """Yield (text, value) of each JSON value in JSON Lines or concatenated JSON.

    A piece that cannot be read comes as (text, Reject) and does not lose the others.
    """
    for line in text.split(b"\n"):
        piece = line.strip()
        if not piece:
            continue
        try:
            yield piece, decode(piece)
        except Reject as reject:
            parts = list(concatenated(piece)) if reject.reason is Reason.BAD_JSON else []
            if any(isinstance(value, dict | list) for _, value in parts):
                yield from parts
            else:
                yield piece, reject


def concatenated(text: bytes) -> Iterator[tuple[bytes, Any]]:
    """Yield (text, value) of JSON values that stand one after another, also over several lines."""
    try:
        readable = text.decode("utf-8")
    except UnicodeDecodeError as wrong:
        yield text, Reject(Reason.NOT_UTF8, f"byte {wrong.start} is not UTF-8")
        return
    at = 0
    while at < len(readable):
        found = _SPACE.match(readable, at)
        at = found.end() if found else at
        if at >= len(readable):
            return
        try:
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
        at = end
