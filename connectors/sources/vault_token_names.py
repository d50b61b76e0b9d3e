"""A vault token's accessor and its hash in the audit: of a revoked token only the hash is told any more.

A vault that knows a token writes both; to a token that it no longer knows it says no, and writes the hash of
what it was given (measured on OpenBao 2). Where the device hashes accessors too (`hmac_accessor`, the
default), no accessor is known and nothing can be joined.
"""

from __future__ import annotations

from typing import Any, Final

from connectors.sources.untrusted import entity
from detectors.event import Alias

HASHED: Final = "hmac-"
_LONGEST: Final = 256


def token_names(accessor: str | None, hashed: Any, time: float) -> Alias | None:
    """Return that the accessor and the token's hash are one, valid from `time`; None unless both are told."""
    if not accessor or accessor.startswith(HASHED) or type(hashed) is not str:
        return None
    if not hashed.startswith(HASHED) or len(hashed) > _LONGEST:
        return None
    return Alias(
        entity("vault_token", accessor, "actor")[:2], entity("vault_token", hashed, "actor")[:2], time
    )
