"""A large CloudTrail file, EventList or array, decoded so many items at a time: what is held stays bounded.

A piece of text that begins where an item begins and is valid JSON between brackets ends where an item ends,
so the split is exact wherever the comma was found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import orjson

from connectors.sources.decoding import BOM, MAX_NESTING, decode, few_brackets, shallow
from connectors.sources.flattening import flattened
from connectors.sources.shape import items_of

WHOLE: Final = 1024 * 1024
"""Bytes up to which a text is decoded at once."""
CHUNK: Final = 256 * 1024
"""Bytes that are decoded at a time, about."""
_TRIES: Final = 4
_HEAD_LIMIT: Final = 4096
_HEAD: Final = re.compile(rb'\s*+(?:\[|\{[^\[]*?"(?:Records|items)"\s*+:\s*+\[)')
_FIRST: Final = re.compile(rb'\s*+(?:(\{)\s*+("[^"\\]{1,64}"|))?')


def array_chunks(text: bytes, chunk: int = CHUNK) -> Iterator[list[Any]] | None:
    """Return the items of `text` in lists, or None when it is no such array or its end is missing.

    An item that cannot be decoded ends the iteration with a Reject; the lists before it were given.
    """
    text = text.removeprefix(BOM)
    head = _HEAD.match(text[:_HEAD_LIMIT])
    end = text.rfind(b"]")
    if head is None or end < head.end() or not _frames(text, head.end(), end):
        return None
    between = _between(text[head.end() : head.end() + _HEAD_LIMIT])
    return _chunks(text, head.end(), end, between, chunk)


def _between(items: bytes) -> re.Pattern[bytes]:
    """Return what most likely stands between two items: the first key of one is that of all."""
    first = _FIRST.match(items)
    if first is None or first[1] is None:
        return re.compile(rb"(,)")
    return re.compile(rb"\}\s*+(,)\s*+\{\s*+" + re.escape(first[2]))


def _frames(text: bytes, start: int, end: int) -> bool:
    """Return whether the bracket before `start` opens the items of the whole and that at `end` ends them."""
    before, after = text[:start], text[end:]
    if before.lstrip()[:1] == b"[":
        return not after[1:].strip()
    try:
        orjson.loads(before + b"]}")
        whole = orjson.loads(before + after)
    except orjson.JSONDecodeError:
        return False
    return items_of(whole) == [] and len(items_of(orjson.loads(before + b"0" + after)) or ()) == 1


def _chunks(text: bytes, start: int, end: int, between: re.Pattern[bytes], chunk: int) -> Iterator[list[Any]]:
    at, size, seek, failed = start, chunk, start + chunk, 0
    while True:
        comma = between.search(text, seek, end) if end - at > size else None
        if comma is None:
            items = _rest(text, start, at)
        else:
            piece = b"[" + text[at : comma.start(1)] + b"]"
            try:
                items = orjson.loads(piece)
            except orjson.JSONDecodeError:
                # The comma stands inside an item. Twice as much every few times keeps the whole linear.
                failed += 1
                size = size if failed % _TRIES else size * 2
                seek = max(comma.end(1), at + size)
                continue
            if not few_brackets(piece) and not shallow((items,)):
                items = flattened(items, MAX_NESTING - 1)
        yield items
        if comma is None:
            return
        at, size, failed = comma.end(1), chunk, 0
        seek = at + size


def _rest(text: bytes, start: int, at: int) -> list[Any]:
    """Return the items from `at` on: the document as if those before had not been in it."""
    return items_of(decode(text[:start] + text[at:])) or []
