"""CloudTrail values that mean something else than their JSON type or text says (record contents)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

HIDDEN: Final = "HIDDEN_DUE_TO_SECURITY_REASONS"
"""Stands for the user name of a failed sign-in: what was typed there may have been a password."""
_INTERNAL: Final = re.compile(r"AWS Internal(?:/\d{1,9})?\Z")
_TRUTH: Final[Mapping[str, bool]] = {"true": True, "yes": True, "false": False, "no": False}
_BODIES: Final = ("requestParameters", "responseElements", "additionalEventData")
_VERSION: Final = re.compile(r"(\d{1,4})\.\d{1,4}\Z", re.ASCII)


def truth(value: Any) -> bool | None:
    """Return a boolean that may be written as one, as "true" or "false", or as "Yes" or "No"; else None."""
    if isinstance(value, bool):
        return value
    return _TRUTH.get(value.lower()) if isinstance(value, str) and len(value) < 8 else None


def is_internal(text: str) -> bool:
    """Return whether `text` is the `AWS Internal` of sourceIPAddress and invokedBy: nobody with a name."""
    return text.startswith("AWS") and _INTERNAL.match(text) is not None


def omitted(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the bodies that CloudTrail left out for their size (`omitted: true`)."""
    found: tuple[str, ...] = ()
    for key in _BODIES:
        body = fields.get(key)
        if body and isinstance(body, dict) and "omitted" in body and truth(body["omitted"]) is True:
            found = (*found, key)
    return found


def major(version: str) -> int | None:
    """Return the major number of an eventVersion, or None where it is no MAJOR.MINOR.

    A larger minor only adds fields (older records write 1.08, newer ones 1.10); another major may change
    what a field means.
    """
    found = _VERSION.match(version)
    return int(found[1]) if found else None
