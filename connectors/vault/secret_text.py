"""A secret in memory that does not show itself: not in a repr, a log, a traceback or a pickle."""

from __future__ import annotations

import hmac
from typing import Final, NoReturn

MASK: Final = "**********"


class SecretText:
    """Holds one secret. Only `reveal` gives it away, so that every use can be found by name."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the secret itself. Never bind it to a name that outlives the call."""
        return self._value

    def same_as(self, other: SecretText) -> bool:
        """Return whether both are the same text, in constant time."""
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is never pickled")
