"""How sensitive what a target opens is: it says how many people must agree."""

from __future__ import annotations

from typing import Literal, TypeAlias

DataClass: TypeAlias = Literal["public", "internal", "confidential", "restricted", "unknown"]
