"""What becomes of a finding before it is written: sent, or held back by an exception or a rule's state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from detectors import alias
from detectors.canary.finding import LABEL as CANARY
from detectors.canary.finding import LOST_RULE
from detectors.exception.exemptions import Exemptions
from detectors.finding import Finding
from detectors.lifecycle.breaker import FLOOD_RULE
from detectors.lifecycle.held import EXCEPTION, hold
from detectors.lifecycle.state import Standing, shadows

NEVER: Final = frozenset({alias.RULE_ID, LOST_RULE, FLOOD_RULE, "davylamp-lost-before-read"})
"""What Davylamp says about its own senses is held back by nobody."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Exceptions and states in force. Without any, every finding passes as it is."""

    exemptions: Exemptions = field(default_factory=Exemptions)
    shadow: frozenset[str] = frozenset()

    @classmethod
    def of(cls, exemptions: Exemptions, standings: Mapping[str, Standing]) -> Gate:
        """Return the gate of what the files say."""
        return cls(exemptions, shadows(standings))

    def judge(self, finding: Finding) -> Finding:
        """Return the finding itself, or the same one held back. Its own times alone decide."""
        if not self.shadow and not self.exemptions.entries:
            return finding
        if finding.rule_id in NEVER or CANARY in finding.labels:
            return finding
        exemption = self.exemptions.of(finding)
        if exemption is not None:
            return hold(finding, "exception", {EXCEPTION: exemption.name})
        return hold(finding, "shadow") if finding.rule_id in self.shadow else finding
