"""Names as the API server takes them, checked before they stand in a path or an object.

Kubernetes, "Object Names and IDs" (RFC 1123) and "Labels and Selectors". Whatever a finding says was written
by a caller: a name that is none is refused, never escaped into something that looks like one.
"""

from __future__ import annotations

import re
from typing import Final

_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\Z")
_VALUE: Final = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?\Z")
_MAX_SUBDOMAIN: Final = 253
_SHOWN: Final = 40


class NotANameError(ValueError):
    """A text cannot be a name; the message shows at most 40 characters of it, escaped."""


def namespace_name(text: str) -> str:
    """Return `text` if it can be the name of a namespace (RFC 1123 label). Raises NotANameError."""
    if not _LABEL.match(text):
        raise NotANameError(f"not the name of a namespace: {shown(text)}")
    return text


def object_name(text: str) -> str:
    """Return `text` if it can be the name of an object (RFC 1123 subdomain). Raises NotANameError."""
    if len(text) > _MAX_SUBDOMAIN or not _SUBDOMAIN.match(text):
        raise NotANameError(f"not the name of an object: {shown(text)}")
    return text


def label_value(text: str) -> str:
    """Return `text` if it can be the value of a label, which may be empty. Raises NotANameError."""
    if not _VALUE.match(text):
        raise NotANameError(f"not the value of a label: {shown(text)}")
    return text


def shown(text: str) -> str:
    """Return the beginning of `text`, quoted, with everything but ASCII escaped: safe in a log and a page."""
    return ascii(text[:_SHOWN])
