"""Derived ids: the same input gives the same id, on every machine, for ever.

Source: ``docs/architecture.md`` (ids); the first 128 bits of SHA-256 over a domain tag and
length-prefixed fields, written as a UUID of version 8 (RFC 9562, section 5.8).
"""

from __future__ import annotations

import hashlib
import re
import uuid

_SOURCE_ID = re.compile(r"[A-Za-z0-9-]{1,64}\Z")


def derive(domain: str, *fields: str) -> str:
    """Return the UUIDv8 of `fields` inside `domain`, as 36 lower-case characters.

    Fields are length-prefixed, so ``("ab", "c")`` and ``("a", "bc")`` differ. Lone surrogates are
    kept (``surrogatepass``): an attacker's text never makes this raise.
    """
    digest = hashlib.sha256()
    for part in (domain, *fields):
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    value = int.from_bytes(digest.digest()[:16], "big")
    value = (value & ~(0xF << 76)) | (0x8 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return str(uuid.UUID(int=value))


def digest16(*fields: str) -> str:
    """Return 16 hex digits of BLAKE2b over `fields`: the ``h`` of an event id."""
    joined = "\x1f".join(fields).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(joined, digest_size=8).hexdigest()


def source_id(text: str) -> str:
    """Return `text` if it is a plain id (``[A-Za-z0-9-]{1,64}``), else ``x-`` and its hash.

    Ids come from callers, who may be attackers: nothing else is ever used as part of a key.
    """
    if _SOURCE_ID.match(text):
        return text
    return "x-" + digest16(text)
