"""The outside's errors as a step's failure: what is away, what may be tried again, what is final."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from connectors.rotation.sessions import ObserverAwayError
from connectors.vault.error import VaultAwayError, VaultDeniedError, VaultError, VaultRefusedError
from playbooks.ports import StepFailedError

_T = TypeVar("_T")


def guarded(work: Callable[[], _T]) -> _T:
    """Do `work`, telling the outside's errors as StepFailedError that chains to nothing."""
    failure: StepFailedError
    try:
        return work()
    except VaultError as error:
        failure = _failed(error)
    except ObserverAwayError as error:
        failure = StepFailedError(str(error), retry=True, unavailable="database")
    raise failure


def _failed(error: VaultError) -> StepFailedError:
    match error:
        case VaultAwayError():
            return StepFailedError(str(error), retry=True, unavailable="vault")
        case VaultDeniedError():
            return StepFailedError(str(error), retry=False)
        case VaultRefusedError(unfinished=True):
            return StepFailedError(str(error), retry=True, unavailable="database")
        case VaultRefusedError(status=status):
            return StepFailedError(str(error), retry=status >= 500 or status == 0)
        case _:
            return StepFailedError(str(error), retry=False)
