"""What is said about canaries: that one came through, and that one did not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from detectors.canary.proof import Slot
from detectors.event import Entity
from detectors.finding import Finding, rfc3339
from detectors.identifier import derive

LABEL: Final = "canary"
"""The label of a canary's finding; its value is the source. Only detect and correlate write findings."""
APPENDED: Final = "canary_appended"
LOST_RULE: Final = "davylamp-canary-lost"
RULES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "cloudtrail": "de57657b-69c2-54f6-9579-681ea0689bba",
        "kubernetes_audit": "3bcc7110-67d8-58d8-a7a0-8786ef0d90fa",
        "istio_access": "ad328f40-c30f-5bf3-93b4-ca8362af0974",
        "vault_audit": "9dc2bc80-d558-52de-a32f-225933cf2c6a",
    }
)
"""The shipped rule of each source that its canary, and nothing else of it, fires."""


def came(slot: Slot, appended: float, findings: Sequence[Finding]) -> list[Finding]:
    """Return the finding of the canary's own rule, labelled; what other rules say of it is left out.

    `appended`: the append time of the record, seconds (UTC).
    """
    return [
        replace(
            finding,
            entities=(_entity(slot),),
            labels={
                **finding.labels,
                LABEL: slot.source,
                "canary_due": str(slot.due),
                APPENDED: f"{appended:.3f}",
                "topic": slot.topic,
                "partition": str(slot.partition),
            },
        )
        for finding in findings
        if finding.rule_id == RULES.get(slot.source)
    ]


def lost(slot: Slot, why: str) -> Finding:
    """Return the finding about the source; its id comes from source and slot: telling it twice is once."""
    event_id = f"canary/{slot.topic}/{slot.due}"
    return Finding(
        rule_id=LOST_RULE,
        title="A canary of a source was lost",
        level="high",
        base_level="high",
        status="final",
        source=slot.source,
        event_id=event_id,
        event_ids=(event_id,),
        event_time=float(slot.due),
        first_time=float(slot.due),
        last_time=float(slot.due),
        count=1,
        entities=(_entity(slot),),
        attack=("T1685",),
        explain=(
            f"{slot.topic}/{slot.partition}: the canary of {rfc3339(slot.due)} {why}. "
            "Real events of this source may not be seen either."
        ),
        finding_id=derive("finding", LOST_RULE, "1", slot.source, slot.topic, str(slot.due)),
        labels={"topic": slot.topic, "partition": str(slot.partition), "canary_lost": str(slot.due)},
    )


def _entity(slot: Slot) -> Entity:
    return Entity("host", f"kafka/{slot.topic}/{slot.partition}", "source")
