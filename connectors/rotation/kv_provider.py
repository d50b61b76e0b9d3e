"""What gives out keys outside of the vault: the seam between the rotation of a KV secret and its provider."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, TypeVar

from connectors.vault.secret_text import SecretText
from playbooks.ports import StepFailedError

_R = TypeVar("_R")
Verdict: TypeAlias = Literal["accepted", "refused", "unanswered"]


class ProviderError(Exception):
    """A provider could not, or would not. `retry`: later it may; a call that writes may have happened."""

    def __init__(self, text: str, *, retry: bool) -> None:
        super().__init__(text)
        self.retry = retry


@dataclass(frozen=True, slots=True)
class ProviderKey:
    """A key as the provider lists it. Times are the provider's clock, seconds, UTC; None for unknown."""

    id: str
    active: bool
    created_at: float | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made; its secret is told this once."""

    id: str
    secret: SecretText


@dataclass(frozen=True, slots=True)
class Tried:
    """How one try of a key ended. Only "refused" is the provider's own word that the key is none."""

    verdict: Verdict
    code: str


class Provider(Protocol):
    """One holder of keys at a provider. Every method but `probe` raises ProviderError."""

    observer: str
    """Who says so, in a check."""
    max_keys: int

    def listed(self) -> list[ProviderKey]:
        """Return all keys of the holder."""
        ...

    def create(self, intent: str) -> NewKey:
        """Make a key; `intent` is the same whenever the same action asks."""
        ...

    def enable(self, key_id: str) -> None:
        """Let a disabled key work again."""
        ...

    def disable(self, key_id: str) -> None:
        """Let a key work no more; it can be enabled again."""
        ...

    def delete(self, key_id: str) -> None:
        """Delete a key; one that is gone is no error."""
        ...

    def may_retire(self, key_id: str) -> None:
        """Raise unless we may disable and delete keys; changes nothing."""
        ...

    def last_used(self, key_id: str) -> float | None:
        """Return when a key was last used, as far as the provider knows; None for never or unknown."""
        ...

    def end_sessions(self, until: float) -> str:
        """End what was derived from keys before `until`; return what was done, for a check's code.

        Raises ProviderError. "" = the provider cannot say whether there is any such thing.
        """
        ...

    def probe(self, key: NewKey) -> Tried:
        """Try a key where it is used. Never raises."""
        ...


def at_provider(work: Callable[[], _R]) -> _R:
    """Do `work`, telling a provider's errors as StepFailedError that chains to nothing."""
    failure: StepFailedError
    try:
        return work()
    except ProviderError as error:
        away = "provider" if error.retry else None
        failure = StepFailedError(str(error), retry=error.retry, unavailable=away)
    raise failure
