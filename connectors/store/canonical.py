"""One way to write a value as bytes and to chain rows by hash, so that a changed row shows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Final

GENESIS: Final = "0" * 64
MAX_TEXT: Final = 4000


def dumps(value: object) -> str:
    """Return canonical JSON: sorted keys, no spaces, ASCII only (so NUL and lone surrogates stay escaped)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def chain(previous: str, fields: Mapping[str, object]) -> str:
    """Return the SHA-256 (hex) of `fields` linked to the `previous` row's hash."""
    return hashlib.sha256(f"{previous}\n{dumps(fields)}".encode("ascii")).hexdigest()


def storable(text: str, limit: int = MAX_TEXT) -> str:
    """Return `text` as both databases can hold it: no NUL, no lone surrogate, at most `limit` characters."""
    clean = text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    return clean if len(clean) <= limit else clean[: limit - 1] + "\u2026"
