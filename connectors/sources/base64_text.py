"""Base64 text, strict but for white space."""

from __future__ import annotations

import binascii
from typing import Final

from connectors.sources.reject import Reason, Reject

MARK: Final = b"H4sI"
"""How base64 of gzip begins."""
_SPACE: Final = b" \t\r\n"


def unbase64(text: bytes) -> bytes:
    """Return the bytes of `text`. Raises Reject, bad_base64."""
    try:
        return binascii.a2b_base64(text.translate(None, _SPACE), strict_mode=True)
    except binascii.Error:
        raise Reject(Reason.BAD_BASE64, "a text that must be base64 is not") from None
