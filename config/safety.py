"""Guards beside the caps of automatic actions: how many at once, how much of a kind, when trust ends."""

from __future__ import annotations

from pydantic import Field

from config.section import Section


class Safety(Section):
    """Bounds that hold besides `response.caps`. Times in seconds.

    `kind_share` of the configured targets of a kind may be acted on in an hour, and `kind_floor` always.
    `breaker_failures` of a verb within `breaker_window_s` open its breaker: then people start it.
    """

    targets_per_incident: int = Field(default=3, ge=1, le=50)
    kind_share: float = Field(default=0.05, gt=0, le=1)
    kind_floor: int = Field(default=2, ge=1, le=1000)
    at_once: int = Field(default=2, ge=1, le=100)
    breaker_failures: int = Field(default=2, ge=1, le=100)
    breaker_window_s: float = Field(default=3600.0, gt=0, le=86_400)
