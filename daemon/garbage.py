"""The cyclic collector, set for streams of short-lived records."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_THRESHOLDS: Final = (50_000, 20, 50)


def settle() -> None:
    """Call when rules and libraries are loaded: they are left out of later collections, which come seldom.

    Decoded records are many containers and almost never cycles; with the defaults a third of the
    time of a scan goes into looking for them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)


@contextmanager
def paused() -> Iterator[None]:
    """Leave collections out while much is made that stays; a full one stops all threads for its time."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
