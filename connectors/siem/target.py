"""The port that every SIEM target implements, and how each item ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias, runtime_checkable

from connectors.ecs.stream import Document

Ending: TypeAlias = Literal["delivered", "already_there", "rejected", "retry"]


class TargetError(Exception):
    """The root of this room's errors.

    - TargetError
      - TargetAwayError
        - RefusedError (it answers, and takes nothing as things are: rights, templates, a wrong product)
        - AnswerTooLargeError
        - NoAnswerInTimeError (the request may have been carried out)
    """


class TargetAwayError(TargetError):
    """The target does not take anything now; nothing of the batch is known to be delivered.

    The message names the target and the reason, never a secret.
    """


class RefusedError(TargetAwayError):
    """It answers, but takes nothing until somebody changes something; the message says what."""


class AnswerTooLargeError(TargetAwayError):
    """The answer to one request is larger than its bound."""


class NoAnswerInTimeError(TargetAwayError):
    """The request was sent, no answer came in time: it may have been carried out."""


@dataclass(frozen=True, slots=True)
class ItemOutcome:
    """How one document of a batch ended; `reason` says why it was rejected or must be tried again."""

    ending: Ending
    reason: str = ""


DELIVERED: Final = ItemOutcome("delivered")
ALREADY_THERE: Final = ItemOutcome("already_there")


class SiemTarget(Protocol):
    """Where documents go. One batch at a time; `deliver` returns only what the target confirmed."""

    name: str

    async def open(self) -> None:
        """Get ready. Raises TargetAwayError."""
        ...

    async def deliver(self, batch: Sequence[Document]) -> Sequence[ItemOutcome]:
        """Return one outcome a document, in order. Raises TargetAwayError."""
        ...

    async def close(self) -> None:
        """Let go of files and connections."""
        ...


@runtime_checkable
class SearchableTarget(SiemTarget, Protocol):
    """A target that can be asked for what it took."""

    async def found(self, document: Document) -> bool:
        """Return whether a search finds the document now. Raises TargetError (away, no right to search)."""
        ...
