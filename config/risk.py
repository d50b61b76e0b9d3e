"""Risk of an actor: how fast it fades, and when what one actor did is a campaign."""

from __future__ import annotations

from pydantic import Field

from config.section import Section


class Risk(Section):
    """How findings about one actor add up (`docs/risk.md`). Times in seconds of event time.

    A campaign opens when rules of at least `tactics` ATT&CK tactics fired within `window_s` and the risk
    reached `opening_score`. `enabled: false` opens none.
    """

    enabled: bool = True
    half_life_s: float = Field(default=43_200.0, ge=60, le=2_592_000)
    window_s: float = Field(default=86_400.0, ge=60, le=604_800)
    tactics: int = Field(default=3, ge=2, le=10)
    opening_score: float = Field(default=30.0, ge=0, le=10_000)
