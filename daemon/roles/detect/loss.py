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
    told = (topic, str(partition), str(loss.expected), str(loss.resumed))
    finding_id = derive("finding", RULE_ID, "1", *told, *([loss.topic_id] if loss.topic_id else ()))
    event_id = f"{place}/{loss.resumed if loss.expected is None else loss.expected}/0"
    return Finding(
        rule_id=RULE_ID,
        title="Records of a source were lost before they could be read",
        level="critical",
        base_level="critical",
        status="final",
        source=source,
        event_id=event_id,
        event_ids=(event_id,),
        event_time=now,
        first_time=now,
        last_time=now,
        count=1,
        entities=(Entity("host", f"kafka/{place}", "source"),),
        attack=(),
        explain=f"{place}: {_what(loss)}",
        finding_id=finding_id,
        labels={"topic": topic, "partition": str(partition), "loss": loss.kind},
    )


def _what(loss: Loss) -> str:
    stood = "" if loss.expected is None else f"reading stood at offset {loss.expected}, "
    match loss.kind:
        case "retention":
            return (
                f"{loss.records} records were deleted before they were read: "
                f"{stood}the log begins at {loss.resumed}."
            )
        case "recreated":
            return (
                f"the log is not the one that was read: {stood}it goes on at {loss.resumed}. "
                "The topic was made anew or emptied; how many records are missing is not known."
            )
        case "reset":
            return (
                f"somebody else set the group's offset: reading goes on at {loss.resumed}. "
                "Which records before it were never read is not known."
            )
