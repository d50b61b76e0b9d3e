"""What a state machine returns: the new state, what it found, and counts for metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from detectors.event import Fields
from detectors.finding import Finding


@dataclass(frozen=True, slots=True)
class Advance:
    """One step. Send `findings` and wait for their confirmation before `state` is written.

    `changed` is false when `state` equals what was given. `counts` name what else happened, for metrics:
    ``settled`` (match at or before a settled time, not used), ``overflow`` (over the cap, not held),
    ``learning`` and ``no_baseline`` (first-seen models: silent on purpose).
    """

    state: Fields
    findings: Sequence[Finding]
    changed: bool
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
