"""One way to write a value as bytes and to chain rows by hash, so that a changed row shows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

GENESIS: Final = "0" * 64
MAX_TEXT: Final = 4000


def dumps(value: object) -> str:
    """Return canonical JSON: sorted keys, no spaces, ASCII only (so NUL and lone surrogates stay escaped)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def chain(previous: str, fields: Mapping[str, object]) -> str:
    """Return the SHA-256 (hex) of `fields` linked to the `previous` row's hash."""
    return hashlib.sha256(f"{previous}\n{dumps(fields)}".encode("ascii")).hexdigest()


def intact(row: Mapping[Any, Any], hashed: Callable[[Mapping[Any, Any]], Mapping[str, object]]) -> bool:
    """Return whether the row's `hash` is that of its `previous_hash` and of what `hashed` takes from it.

    False also for a row in which somebody left what is no JSON.
    """
    try:
        return row["hash"] == chain(row["previous_hash"], hashed(row))
    except (ValueError, TypeError, RecursionError):
        return False


def broken(
    rows: Iterable[Mapping[Any, Any]],
    hashed: Callable[[Mapping[Any, Any]], Mapping[str, object]],
    name: str,
) -> Iterator[str]:
    """Yield what is wrong with a whole chain of rows, in the order of `seq`: changed, missing, moved."""
    expected = GENESIS
    for row in rows:
        if row["previous_hash"] != expected:
            yield f"{name} row {row['seq']}: a row before it is missing or changed"
        if not intact(row, hashed):
            yield f"{name} row {row['seq']}: changed"
        expected = row["hash"]


def storable(text: str, limit: int = MAX_TEXT) -> str:
    """Return `text` as both databases can hold it: no NUL, no lone surrogate, at most `limit` characters."""
    clean = text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    return clean if len(clean) <= limit else clean[: limit - 1] + "\u2026"
