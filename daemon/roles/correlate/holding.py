"""Findings of correlations and baselines as they are published: sent, or recorded and held back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from daemon.roles.correlate.publishing import Publisher
from detectors.exception.hits import Hits
from detectors.finding import Finding
from detectors.lifecycle.gate import Gate
from detectors.lifecycle.held import HELD, is_held


class HoldingPublisher:
    """Judges each finding by `gate`, which a reload replaces between two batches; counts when confirmed."""

    def __init__(self, publisher: Publisher, gate: Gate) -> None:
        self.gate = gate
        self.hits = Hits()
        self.held: Counter[str] = Counter()
        self._publisher = publisher

    async def publish(self, findings: Sequence[Finding]) -> None:
        """Return when every finding is confirmed; raises when one is not."""
        judged = [self.gate.judge(finding) for finding in findings]
        await self._publisher.publish(judged)
        for finding in judged:
            if is_held(finding):
                self.held[finding.labels[HELD]] += 1
                self.hits.add(Hits.of(finding))
