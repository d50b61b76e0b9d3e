"""Old sessions of a database user end, and it is looked until none is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from connectors.rotation.sessions import Observer
from playbooks.ports import Clock, StepFailedError
from playbooks.proof import Check

_TRIES: Final = 20
_PAUSE_S: Final = 0.1


def end_sessions(
    observer: Observer, name: str, user: str, cut: float, now: Clock, sleep: Callable[[float], None]
) -> tuple[int, Check]:
    """End the sessions of `user` that started up to the database time `cut`; return how many, and the check.

    `name` is the observer's, for the check. Raises StepFailedError, ObserverAwayError.
    """
    first, ended = now(), 0
    for tries in range(1, _TRIES + 1):
        ended += observer.end_sessions(user, cut)
        if observer.count_sessions(user, cut) == 0:
            return ended, Check("sessions_gone", True, tries, first, now(), name, "0 sessions")
        sleep(_PAUSE_S)
    check = Check("sessions_gone", False, _TRIES, first, now(), name, "open")
    raise StepFailedError("old sessions do not end", retry=True, checks=[check])
