"""What a record may show: itself where its JSON text is clean, else its redacted copy."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from connectors.ecs.clean_text import is_clean
from connectors.ecs.redaction import redact


class Shown(NamedTuple):
    """A record without secrets and its JSON text, made once. `record` is read, never changed."""

    record: dict[str, Any]
    text: bytes


def shown(record: dict[str, Any]) -> Shown:
    """Return `record` itself where nothing is to be masked or cut, else a redacted copy.

    Raises TypeError where `record` is no JSON (orjson).
    """
    text = orjson.dumps(record)
    if is_clean(text):
        return Shown(record, text)
    masked: dict[str, Any] = redact(record)
    return Shown(masked, orjson.dumps(masked))
