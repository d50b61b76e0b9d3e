"""One bounded answer of a cluster, and the few words of it that may be repeated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import orjson

_KIND: Final = re.compile(r"[a-z_]{1,64}\Z")
_FIELD: Final = re.compile(
    r"failed to parse field \[([A-Za-z0-9_.@/-]{1,200})\] of type \[([a-z_]{1,32})\]"
    r"|immense term in field=\"([A-Za-z0-9_.@/-]{1,200})\""
    r"|(data stream timestamp field \[@timestamp\] is missing)"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers (names in lower case) and body, at most as large as the request allowed."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Return the body's object; {} when it is none."""
        try:
            found: object = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return {}
        return cast(dict[str, Any], found) if isinstance(found, dict) else {}

    def error(self) -> str:
        """Return status and error type, such as ``403 security_exception``."""
        return f"{self.status} {error_type(self.json())}".strip()


def error_type(answer: Mapping[str, Any]) -> str:
    """Return `error.type` of a request's or an item's answer if it has the form of one, else ""."""
    error = answer.get("error")
    kind: object = cast(dict[str, Any], error).get("type") if isinstance(error, dict) else None
    return kind if isinstance(kind, str) and _KIND.match(kind) else ""


def refused_field(answer: Mapping[str, Any]) -> str:
    """Return which field was refused, without its value: the reason repeats what was sent."""
    error = answer.get("error")
    reason: object = cast(dict[str, Any], error).get("reason") if isinstance(error, dict) else None
    found = _FIELD.search(reason[:4096]) if isinstance(reason, str) else None
    if found is None:
        return ""
    name, kind, immense, timestamp = found.groups()
    if timestamp:
        return "@timestamp is missing"
    return f"field {name} is no {kind}" if name else f"field {immense} is too long"
