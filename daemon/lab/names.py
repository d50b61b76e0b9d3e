"""Fresh names for each seed: nothing that a rule could know beforehand.

Addresses are of ranges that belong to nobody: RFC 1918 inside, RFC 5737 (documentation) and RFC 2544
(198.18.0.0/15, benchmarks) outside. Hosts end in `.example` (RFC 2606).
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

_STARTS: Final = ("ba", "cor", "del", "fen", "gri", "hal", "jor", "kel", "lun", "mar", "nor", "pel", "quin")
_ENDS: Final = ("do", "fa", "la", "mi", "na", "ric", "sa", "ta", "vik", "wen", "zo", "lin", "rus", "tor")
_THINGS: Final = (
    *("order", "invoice", "parcel", "route", "ledger", "survey", "tile", "claim", "quote", "sensor"),
    *("harvest", "meter", "cargo", "ticket", "roster", "forecast", "catalog", "payment", "permit", "yield"),
)
_KINDS: Final = ("api", "worker", "svc", "sync", "gateway", "engine", "runner", "loader")
_TAIL: Final = "bcdfghjklmnpqrstvwxz2456789"
_DIGITS_UPPER: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


class Names:
    """Makes names from one source of chance and gives none of them twice."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._used: set[str] = set()

    def word(self) -> str:
        """Return a pronounceable word, as of a company or a person."""
        return self._fresh(
            lambda: self._rng.choice(_STARTS) + self._rng.choice(_ENDS) + self._rng.choice(_ENDS)
        )

    def person(self) -> str:
        """Return a login name, ``first.last``."""
        return f"{self.word()}.{self.word()}"

    def workload(self) -> str:
        """Return a name for a workload, a role or an application."""
        return self._fresh(lambda: f"{self._rng.choice(_THINGS)}-{self._rng.choice(_KINDS)}")

    def thing(self) -> str:
        """Return a name for a bucket, a database, a namespace."""
        return self._fresh(
            lambda: f"{self._rng.choice(_THINGS)}-{self._rng.choice(_STARTS)}{self._rng.choice(_ENDS)}"
        )

    def digits(self, count: int) -> str:
        """Return a number of `count` digits that does not begin with 0."""
        return self._fresh(lambda: str(self._rng.randint(10 ** (count - 1), 10**count - 1)))

    def tail(self, count: int) -> str:
        """Return the random end of a name that a controller makes."""
        return "".join(self._rng.choices(_TAIL, k=count))

    def aws_id(self, prefix: str) -> str:
        """Return an id as IAM makes it: four letters that say of what, and sixteen more."""
        return prefix + "".join(self._rng.choices(_DIGITS_UPPER, k=16))

    def address(self, prefix: str) -> str:
        """Return an unused address below `prefix` (two or three numbers with dots)."""
        missing = 4 - len(prefix.split("."))

        def made() -> str:
            return ".".join([prefix, *(str(self._rng.randint(2, 250)) for _ in range(missing))])

        return self._fresh(made)

    def outside(self) -> str:
        """Return an address on the internet that nobody at the company uses."""
        return self.address(self._rng.choice(("198.18", "198.19", "203.0.113")))

    def _fresh(self, make: Callable[[], str]) -> str:
        for _ in range(1000):
            name = make()
            if name not in self._used:
                self._used.add(name)
                return name
        raise RuntimeError("no names left")
