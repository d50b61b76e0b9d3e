"""Canaries at the end of their way: what is measured, what is late, what a search is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import orjson
from aiokafka.structs import ConsumerRecord
from prometheus_client import CollectorRegistry

from config.canary import Canary
from connectors.ecs.stream import Document
from connectors.siem.target import DELIVERED, ItemOutcome, RefusedError
from daemon.cli.status import canary_lines
from daemon.roles.forward.canaries import Arrivals
from daemon.roles.forward.canary_metrics import ArrivalMetrics
from daemon.roles.forward.item import MAPPERS, InternalReader
from detectors.canary.finding import RULES, came
from detectors.canary.proof import Slot
from detectors.canary.sight import Sight
from detectors.finding import Finding

DUE = 1_795_000_200
SIGHT = Sight("cloudtrail", DUE, DUE + 0.5)
DOCUMENT = Document.of("alerts", "f/final", {"event": {}}, "default", 0.0)


class Target:
    """A target in memory that is not searched."""

    name = "file"

    async def open(self) -> None:
        return None

    async def deliver(self, batch: Sequence[Document]) -> Sequence[ItemOutcome]:
        return [DELIVERED] * len(batch)

    async def close(self) -> None:
        return None


class Searchable(Target):
    """One whose search finds a document when `shown`, and may be refused."""

    name = "siem"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.shown, self.refused = True, False

    async def found(self, document: Document) -> bool:
        self.asked.append(document.id)
        if self.refused:
            raise RefusedError("siem: a search was answered 403")
        return self.shown


class Scene:
    def __init__(self, **canary: float) -> None:
        self.now = DUE + 2.0
        self.registry = CollectorRegistry()
        self.arrivals = Arrivals(
            Canary.model_validate({"every_minutes": 5.0, "grace_s": 60.0, **canary}),
            ("cloudtrail",),
            ("file", "siem"),
            lambda: self.now,
            ArrivalMetrics(self.registry),
        )

    def value(self, name: str, target: str) -> float | None:
        labels = {"target": target, "source": "cloudtrail"}
        return self.registry.get_sample_value(f"davylamp_canary_{name}", labels)


async def test_the_delay_is_from_append_to_the_word_of_the_target() -> None:
    scene = Scene()
    scene.arrivals.acknowledged(Target(), SIGHT, DOCUMENT, fresh=True)
    assert scene.value("delay_seconds_sum", "file") == 1.5
    assert scene.value("newest_timestamp_seconds", "file") == DUE
    assert scene.value("searchable_seconds_count", "file") is None


async def test_what_the_target_had_before_is_seen_and_not_measured() -> None:
    scene = Scene()
    scene.now += 3600
    scene.arrivals.acknowledged(Target(), SIGHT, DOCUMENT, fresh=False)
    assert scene.value("newest_timestamp_seconds", "file") == DUE
    assert scene.value("delay_seconds_count", "file") is None


async def test_a_target_that_can_be_searched_is_searched_once_for_each_canary() -> None:
    scene, target = Scene(), Searchable()
    scene.arrivals.acknowledged(target, SIGHT, DOCUMENT, fresh=True)
    scene.arrivals.acknowledged(target, SIGHT, DOCUMENT, fresh=True)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert target.asked == ["f/final"]
    assert scene.value("searchable_seconds_sum", "siem") == 1.5
    assert scene.arrivals.newest["siem", "cloudtrail"].searchable_s == 1.5


async def test_a_refused_search_is_counted_and_the_acknowledgement_stays() -> None:
    scene, target = Scene(), Searchable()
    target.refused = True
    scene.arrivals.acknowledged(target, SIGHT, DOCUMENT, fresh=True)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert scene.value("unsearched_total", "siem") == 1
    assert scene.value("delay_seconds_count", "siem") == 1
    assert list(canary_lines(scene.arrivals.status())) == [
        "canary siem cloudtrail: there after 1.5 s, not searched"
    ]


async def test_a_search_under_way_ends_with_the_role() -> None:
    scene, target = Scene(), Searchable()
    target.shown = False
    scene.arrivals.acknowledged(target, SIGHT, DOCUMENT, fresh=True)
    await asyncio.sleep(0)
    await asyncio.wait_for(scene.arrivals.close(), 1.0)
    assert target.asked == ["f/final"]


async def test_a_target_is_late_after_two_periods_and_the_grace() -> None:
    scene = Scene()
    scene.now += 659
    assert scene.arrivals.late() == [], "since the start"
    scene.now += 2
    assert scene.arrivals.late() == [("file", "cloudtrail"), ("siem", "cloudtrail")]
    scene.arrivals.acknowledged(Target(), SIGHT._replace(due=scene.now - 300), DOCUMENT, fresh=True)
    assert scene.arrivals.late() == [("siem", "cloudtrail")]
    assert "canary siem cloudtrail: late, none in two periods" in canary_lines(scene.arrivals.status())


async def test_whilecanary_lines_are_off_nothing_is_late_and_nothing_said() -> None:
    scene = Scene(every_minutes=0)
    scene.now += 10**6
    assert scene.arrivals.late() == [] and list(canary_lines(scene.arrivals.status())) == []


def test_only_a_labelled_finding_is_a_canary_to_forward() -> None:
    (said,) = came(Slot("cloudtrail", "aws.cloudtrail", 0, DUE), DUE + 0.5, [finding()])
    canary, imitation = (items(one) for one in (said, finding()))
    assert canary.canary == SIGHT and canary.document is not None
    assert canary.document.body["event"]["kind"] == "event"
    assert imitation.ending == "filtered" and imitation.canary is None


def items(one: Finding):
    source, mapper = MAPPERS["davylamp.findings"]
    reader = InternalReader(source, mapper, "default", lambda: DUE + 1.0)
    value = orjson.dumps(one.to_json())
    (item,) = reader.items(
        ConsumerRecord("davylamp.findings", 0, 0, 0, 0, None, value, None, 0, len(value), ())
    )
    return item


def finding() -> Finding:
    return Finding(
        rule_id=RULES["cloudtrail"],
        title="T",
        level="informational",
        base_level="informational",
        status="final",
        source="cloudtrail",
        event_id="e",
        event_ids=("e",),
        event_time=float(DUE),
        first_time=float(DUE),
        last_time=float(DUE),
        count=1,
        entities=(),
        attack=(),
        explain="x",
        finding_id="f",
    )
