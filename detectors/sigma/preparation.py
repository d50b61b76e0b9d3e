"""What the operator adds to rules before they are translated: a compiled file depends on all of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:  # pySigma is heavy, and kept rules do without it
    from detectors.sigma.pipeline.pipelines import Pipelines

Values: TypeAlias = "Mapping[str, Sequence[str | int | float]]"


@dataclass(frozen=True, slots=True)
class Preparation:
    """Processing pipelines, then values of placeholders (`expand`) by name."""

    placeholders: Values
    pipelines: Pipelines | None = None

    def fingerprint(self) -> str:
        """Return 64 hex digits that change with anything that could change a compiled rule."""
        values = sorted((name, list(given)) for name, given in self.placeholders.items())
        pipelines = self.pipelines.fingerprint() if self.pipelines else ""
        return hashlib.sha256(json.dumps([values, pipelines]).encode()).hexdigest()


UNPREPARED = Preparation({})
