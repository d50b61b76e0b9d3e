"""What the vault can answer with. No text here ever holds a secret: the vault's own texts are not passed on.

VaultError
├── VaultAwayError      sealed, standby, unreachable, too slow: later it may work
├── VaultDeniedError    our token may not do this
└── VaultRefusedError   it understood and said no, or could not do it
"""

from __future__ import annotations

from typing import Literal, TypeAlias

Away: TypeAlias = Literal["sealed", "standby", "unreachable", "busy"]


class VaultError(Exception):
    """The base of this room's errors."""


class VaultAwayError(VaultError):
    """The vault cannot be asked now. A call that writes may have happened all the same."""

    def __init__(self, why: Away, what: str) -> None:
        super().__init__(f"vault {why}: {what}")
        self.why = why


class VaultDeniedError(VaultError):
    """The vault's policy does not let our token do this."""


class VaultRefusedError(VaultError):
    """The vault refused or failed. `unfinished` = it says that it goes on trying by itself."""

    def __init__(self, text: str, *, status: int, unfinished: bool = False) -> None:
        super().__init__(text)
        self.status = status
        self.unfinished = unfinished
