"""An episode: a stretch of matches that satisfies a correlation once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from detectors.sigma.window import Held, Order


class Episode(NamedTuple):
    """What a walk found.

    `core` are the matches that satisfied the condition first, `events` all that belong to it. Nothing
    that comes later changes it once the watermark is beyond `closes_at` (seconds, event time).
    `floor` is the last place of the walk that it settles. `holds` is false for a window that was looked
    at and did not satisfy; `certain` says that more events cannot undo it.
    """

    events: Sequence[Held]
    core: Sequence[Held]
    closes_at: float
    floor: Order
    holds: bool
    certain: bool
