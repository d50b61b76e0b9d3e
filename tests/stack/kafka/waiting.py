"""Waiting for a condition, with a word about what is missing when it does not come."""

from __future__ import annotations

import time
from collections.abc import Callable

_LOOK_S = 0.05


def until(condition: Callable[[], bool], what: Callable[[], object], timeout_s: float = 40.0) -> None:
    """Wait until `condition()`. Raises AssertionError with `what()` after `timeout_s`."""
    give_up = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up, what()
        time.sleep(_LOOK_S)
