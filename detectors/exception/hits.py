"""How often each exception held a finding back since this worker began."""

from __future__ import annotations

from collections.abc import Iterable

from detectors.finding import Finding
from detectors.lifecycle.held import EXCEPTION


class Hits:
    """Counts by exception name: as many as the file names, never what an event says."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    @staticmethod
    def of(finding: Finding) -> tuple[str, ...]:
        """Return the name of the exception that holds a finding back, if one does."""
        name = finding.labels.get(EXCEPTION)
        return () if name is None else (name,)

    def add(self, names: Iterable[str]) -> None:
        """Count each name once."""
        for name in names:
            self.counts[name] = self.counts.get(name, 0) + 1
