"""What the operator adds to rules before they are translated: a compiled file depends on all of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from detectors.inventory.shipped import placeholders

if TYPE_CHECKING:  # pySigma is heavy, and kept rules do without it
    from detectors.sigma.pipeline.pipelines import Pipelines

Values: TypeAlias = "Mapping[str, Sequence[str | int | float]]"


@dataclass(frozen=True, slots=True)
class Preparation:
    """Processing pipelines, then values of placeholders (`expand`) by name.

    A class of the shipped inventory that `placeholders` does not name keeps its shipped members.
    """

    placeholders: Values
    pipelines: Pipelines | None = None

    @property
    def values(self) -> Values:
        """Every placeholder that has a value."""
        return {**placeholders(), **self.placeholders}

    def fingerprint(self) -> str:
        """Return 64 hex digits that change with anything that could change a compiled rule."""
        values = sorted((name, list(given)) for name, given in self.values.items())
        pipelines = self.pipelines.fingerprint() if self.pipelines else ""
        return hashlib.sha256(json.dumps([values, pipelines]).encode()).hexdigest()


UNPREPARED = Preparation({})
