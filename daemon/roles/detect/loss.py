"""The critical finding about a source whose records were lost before they could be read."""

from __future__ import annotations

from typing import Final

from connectors.kafka.batch import Loss
from detectors.event import Entity
from detectors.finding import Finding
from detectors.identifier import derive

RULE_ID: Final = "davylamp-lost-before-read"


def loss_finding(loss: Loss, source: str, now: float) -> Finding:
    """Return the finding; its id comes from the place, so that telling it twice is telling it once.

    `now` (seconds, UTC) is when it was noticed: the lost events have no time that anyone could know.
    """
    topic, partition = loss.tp
    place = f"{topic}/{partition}"
    finding_id = derive("finding", RULE_ID, "1", topic, str(partition), str(loss.expected), str(loss.resumed))
    if loss.kind == "retention":
        explain = (
            f"{place}: {loss.records} records were deleted before they were read: "
            f"reading stood at offset {loss.expected}, the log begins at {loss.resumed}."
        )
    else:
        explain = (
            f"{place}: the log is not the one that was read: reading stood at offset {loss.expected}, "
            f"it goes on at {loss.resumed}. The topic was made anew or emptied; "
            "how many records are missing is not known."
        )
    return Finding(
        rule_id=RULE_ID,
        title="Records of a source were lost before they could be read",
        level="critical",
        base_level="critical",
        status="final",
        source=source,
        event_id=f"{place}/{loss.expected}/0",
        event_ids=(f"{place}/{loss.expected}/0",),
        event_time=now,
        first_time=now,
        last_time=now,
        count=1,
        entities=(Entity("host", f"kafka/{place}", "source"),),
        attack=(),
        explain=explain,
        finding_id=finding_id,
        labels={"topic": topic, "partition": str(partition), "loss": loss.kind},
    )
