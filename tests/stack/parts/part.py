"""What every part of the stack is: a real server, fetched once, started by recorded pid on loopback."""

from __future__ import annotations

from typing import Protocol


class PartMissingError(Exception):
    """This machine cannot have the part; the text says what is missing and the way out."""


class Part(Protocol):
    """A server. `name` and `version` stand in docs/tested-on.md.

    Parts take a `folder` for data and logs and choose free loopback ports when they are made.
    """

    name: str
    version: str

    def fetch(self) -> None:
        """Bring programs into the cache; at once when they are there. Raises PartMissingError."""
        ...

    def start(self) -> None:
        """Start and wait until it answers. Raises PartFailedError with the end of the log."""
        ...

    def stop(self) -> None:
        """Ask it to stop, kill it when it does not; nothing of it is left."""
        ...

    def pids(self) -> list[int]:
        """The processes that run."""
        ...
