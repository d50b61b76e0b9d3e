"""Derived ids: the same input gives the same id, on every machine, for ever.

Source: ``docs/architecture.md`` (ids); the first 128 bits of SHA-256 over a domain tag and
length-prefixed fields, written as a UUID of version 8 (RFC 9562, section 5.8).
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b, sha256
from typing import Final

_SOURCE_ID = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
_UUID: Final = 36
"""Characters of a UUID, which most ids are; it is told without the expression."""
_VARIANT: Final = {f"{digit:x}": f"{(digit & 0b0011) | 0b1000:x}" for digit in range(16)}
_KEPT: Final = 256
"""Fields up to this length are remembered in their encoding; longer ones must not fill the memory."""


def derive(domain: str, *fields: str) -> str:
    """Return the UUIDv8 of `fields` inside `domain`, as 36 lower-case characters.

    Fields are length-prefixed, so ``("ab", "c")`` and ``("a", "bc")`` differ. Lone surrogates are
    kept (``surrogatepass``): an attacker's text never makes this raise.
    """
    if len(fields) > 1 and len(fields[0]) <= _KEPT and len(fields[1]) <= _KEPT:
        head, rest = _known_head(domain, fields[0], fields[1]), fields[2:]
    else:
        head, rest = _prefixed(domain), fields
    text = sha256(head + _prefixed(*rest)).hexdigest()
    return f"{text[:8]}-{text[8:12]}-8{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"


def _prefixed(*fields: str) -> bytes:
    """Return the fields as bytes, each after its length in eight bytes."""
    parts: list[bytes] = []
    for field in fields:
        part = field.encode("utf-8", "surrogatepass")
        parts += (len(part).to_bytes(8, "big"), part)
    return b"".join(parts)


_known_head: Final = lru_cache(maxsize=1024)(_prefixed)
"""Of a domain and its first fields: for findings the rule's id and version, so few come again and again."""


def digest16(*fields: str) -> str:
    """Return 16 hex digits of BLAKE2b over `fields`: the ``h`` of an event id."""
    joined = "\x1f".join(fields).encode("utf-8", "surrogatepass")
    return blake2b(joined, digest_size=8).hexdigest()


def source_id(text: str) -> str:
    """Return `text` if it is a plain id (``[A-Za-z0-9-]{1,64}``), else ``x-`` and its hash.

    Ids come from callers, who may be attackers: nothing else is ever used as part of a key.
    """
    if len(text) == _UUID and text.isascii() and text.replace("-", "").isalnum():
        return text
    if _SOURCE_ID.match(text):
        return text
    return "x-" + digest16(text)
