"""Notifiers: who is told of a new incident, a proposal, a proof."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from config.secret import Secret
from config.section import Section


class Webhook(Section):
    """An HTTP endpoint that takes a JSON POST; the URL may hold a secret, so it may come from a file."""

    kind: Literal["webhook"] = "webhook"
    name: str = Field(default="webhook", pattern=r"^[a-z0-9-]{1,32}$")
    url: Secret = Secret()
    bearer: Secret = Secret()
    timeout_s: float = Field(default=5.0, gt=0, le=60)
    min_level: Literal["low", "medium", "high", "critical"] = "high"
