"""What a record may show: itself where its JSON text is clean, else its redacted copy."""

from __future__ import annotations

from typing import Any

import orjson

from connectors.ecs.clean_text import is_clean
from connectors.ecs.redaction import redact


def shown(record: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return a record without secrets and its JSON text, made once.

    It is `record` itself where nothing is to be masked or cut, else a redacted copy; read it, never change
    it. Raises TypeError where `record` is no JSON (orjson).
    """
    text = orjson.dumps(record).decode()
    if is_clean(text):
        return record, text
    masked: dict[str, Any] = redact(record)
    return masked, orjson.dumps(masked).decode()
