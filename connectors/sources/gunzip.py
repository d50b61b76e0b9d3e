"""Gzip with a limit: concatenated members, trailing padding, no bombs."""

from __future__ import annotations

import re
import zlib
from typing import Final

from connectors.sources.reject import Reason, Reject

MAGIC: Final = b"\x1f\x8b"
_PADDING: Final = re.compile(rb"\x00*+")
_FIRST_PIECE: Final = 1024
_PIECE: Final = 1 << 20
_MEMBERS: Final = 64
_BYTES_A_MEMBER: Final = 64


def gunzip(data: bytes, max_bytes: int) -> bytes:
    """Return the joined members of `data`. Raises Reject: bomb, truncated, bad_gzip.

    A bomb unpacks to over `max_bytes`, or has over 64 members of less than 64 bytes on average: each
    costs as much as a small event.
    """
    parts: list[bytes] = []
    left, at, members = max_bytes, 0, 0
    while at < len(data):
        members += 1
        if data[at : at + 2] != MAGIC:
            raise Reject(Reason.BAD_GZIP, "bytes after the gzip stream are no further member")
        if members > _MEMBERS + len(data) // _BYTES_A_MEMBER:
            raise Reject(Reason.BOMB, "too many small gzip members")
        part, at = _member(data, at, left, max_bytes)
        parts.append(part)
        left -= len(part)
        at = _PADDING.match(data, at).end()  # pyright: ignore[reportOptionalMemberAccess]
    return b"".join(parts) if len(parts) != 1 else parts[0]


def _member(data: bytes, at: int, left: int, max_bytes: int) -> tuple[bytes, int]:
    """Return what the member at `at` unpacks to, and where it ends.

    It is fed in pieces: what zlib has not used it copies, which is quadratic in many small members.
    """
    member = zlib.decompressobj(wbits=31)
    found: list[bytes] = []
    size, took = _FIRST_PIECE, 0
    while not member.eof:
        piece = data[at : at + size]
        if not piece:
            raise Reject(Reason.TRUNCATED, "the gzip stream ends early")
        try:
            part = member.decompress(piece, left - took + 1)
        except zlib.error:
            raise Reject(Reason.BAD_GZIP, "a gzip member does not decompress") from None
        found.append(part)
        took += len(part)
        if took > left:
            raise Reject(Reason.BOMB, f"unpacks to more than {max_bytes} bytes")
        at += len(piece) - len(member.unused_data)
        size = _PIECE
    return b"".join(found) if len(found) != 1 else found[0], at
