"""JSON values that every reader can read back, whatever an attacker wrote into the fields."""

from __future__ import annotations

import json
from collections.abc import Mapping

import orjson


def encode_value(document: Mapping[str, object]) -> bytes:
    """Return `document` as one JSON object in UTF-8.

    Lone surrogates and integers over 64 bits, which strict readers refuse, become `?` and text.
    Raises TypeError for values that are no JSON at all.
    """
    try:
        return orjson.dumps(document)
    except TypeError:
        return orjson.dumps(json.loads(_plain(document), parse_int=_small))


def encode_key(text: str) -> bytes:
    """Return a record's key; lone surrogates become `?`."""
    return text.encode("utf-8", "replace")


def _plain(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")


def _small(digits: str) -> int | str:
    value = int(digits) if len(digits) < 20 else None
    return value if value is not None and -(2**63) <= value < 2**64 else digits
