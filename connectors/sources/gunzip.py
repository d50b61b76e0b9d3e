"""Gzip with a limit: concatenated members, trailing padding, no bombs."""

from __future__ import annotations

import zlib
from typing import Final

from connectors.sources.reject import Reason, Reject

MAGIC: Final = b"\x1f\x8b"
_MAX_MEMBERS: Final = 10_000


def gunzip(data: bytes, max_bytes: int) -> bytes:
    """Return the joined members of `data`. Raises Reject: bomb (over `max_bytes`), truncated, bad_gzip."""
    parts: list[bytes] = []
    left = max_bytes
    for _ in range(_MAX_MEMBERS):
        member = zlib.decompressobj(wbits=31)
        try:
            part = member.decompress(data, left + 1)
        except zlib.error:
            raise Reject(Reason.BAD_GZIP, "a gzip member does not decompress") from None
        if len(part) > left:
            raise Reject(Reason.BOMB, f"unpacks to more than {max_bytes} bytes")
        if not member.eof:
            raise Reject(Reason.TRUNCATED, "the gzip stream ends early")
        parts.append(part)
        left -= len(part)
        data = member.unused_data.lstrip(b"\x00")
        if not data:
            return b"".join(parts)
        if data[:2] != MAGIC:
            raise Reject(Reason.BAD_GZIP, "bytes after the gzip stream are no further member")
    raise Reject(Reason.BOMB, f"more than {_MAX_MEMBERS} gzip members")
