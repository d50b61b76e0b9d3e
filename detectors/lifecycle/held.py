"""A finding that is recorded and not acted on: who holds it back stands in its labels.

It keeps its id and goes to the topic of findings like any other, so that a replay, a report and a promotion
see it. respond opens nothing for it, forward makes no alert of it; both count it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from msgspec.structs import replace

from detectors.finding import Finding

HELD: Final = "held"
"""The label; only detect and correlate write findings."""
EXCEPTION: Final = "exception"
Why: TypeAlias = Literal["exception", "shadow", "flood"]
WHYS: Final[tuple[Why, ...]] = ("exception", "shadow", "flood")


def hold(finding: Finding, why: Why, more: Mapping[str, str] | None = None) -> Finding:
    """Return `finding` as one that is held back."""
    return replace(finding, labels={**finding.labels, HELD: why, **(more or {})})


def is_held(finding: Finding) -> bool:
    """Return whether a finding is held back; a label of another text means nothing."""
    return finding.labels.get(HELD) in WHYS
