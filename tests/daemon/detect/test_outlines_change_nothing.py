"""What is read in outline gives the output, the counts and the memory that reading everything whole gives."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka.structs import ConsumerRecord, TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

import detectors.rules
from connectors.kafka.batch import PartitionBatch, Record
from connectors.kafka.producer import Message
from connectors.sources.catalogue import KINDS, profile
from connectors.sources.outline import Outlined
from daemon.roles.detect.repeated import RepeatedIds
from daemon.roles.detect.stage import DetectStage
from detectors.sigma.document import RuleDocument
from detectors.sigma.engine import Engine
from detectors.sigma.ruleset import RuleSet

SOURCES = Path(__file__).parents[2] / "connectors" / "sources"
APPENDED_MS = 1_793_000_000_000
RULES = Path(str(detectors.rules.__file__)).parent


FEW = frozenset(
    {"trail_stopped", "console_login_without_mfa", "pod_session", "privileged_pod", "secrets_listed"}
    | {"authorization_denied", "plaintext_call", "egress_refused", "root_token", "permission_denied"}
)
"""Rules that leave most events alone, so that lines are told in outline however many rules ship."""


def shipped(names: frozenset[str] | None = None) -> RuleSet:
    """Return the rules as they ship, or those of some files."""
    found = [path for path in RULES.rglob("*.yml") if names is None or path.stem in names]
    return RuleSet.load([RuleDocument(str(path.relative_to(RULES)), path.read_text()) for path in found])


SHIPPED, SOME = shipped(), shipped(FEW)
ENGINES = {"outline": Engine(SHIPPED), "whole": Engine(SHIPPED)}
SOME_ENGINES = {"outline": Engine(SOME), "whole": Engine(SOME)}


def conformance(kind: str) -> list[bytes]:
    """Return the events of the conformance data of a source."""
    lines = (SOURCES / "data" / f"{kind}.jsonl").read_text().splitlines()
    return [orjson.dumps(json.loads(line)["record"]) for line in lines]


def bodies_of(kind: str) -> list[bytes]:
    """Return the events of the conformance data of a source, and of its rules' own cases."""
    found = conformance(kind)
    for path in (RULES / kind).glob("*.events.json"):
        cases = json.loads(path.read_text())
        found += [orjson.dumps(event) for event in events_in(cases)]
    return found


def events_in(value: Any) -> list[Any]:
    """Return the objects that are events, wherever the file of a rule's cases holds them."""
    if isinstance(value, list):
        return [event for item in value for event in events_in(item)]
    if not isinstance(value, dict):
        return []
    if {"verb", "eventName", "start_time", "request", "src.addr"} & value.keys():
        return [value]
    return [event for item in value.values() for event in events_in(item)]


HOSTILE = [
    *(path.read_bytes() for path in sorted((SOURCES / "hostile").rglob("*")) if path.is_file()),
    *(
        line
        for path in sorted((SOURCES / "envelopes").glob("*.jsonl"))
        for line in path.read_bytes().splitlines()
    ),
]
BODIES = {kind: bodies_of(kind) for kind in KINDS}


class Run:
    """One stage fed with batches; what it wrote, counted and remembers."""

    def __init__(self, kind: str, engines: Mapping[str, Engine], *, whole: bool) -> None:
        self.kind = kind
        self.tp = TopicPartition(f"topic.{kind}", 0)
        self.sent: list[Message] = []
        self.counts: list[Mapping[str, int]] = []
        self.stage = DetectStage(
            source_of={self.tp.topic: profile(kind)},
            engine=engines["whole" if whole else "outline"],
            send=self._send,
            repeated=RepeatedIds(40),
            clock=lambda: 0.0,
            max_record_bytes=1 << 20,
            whole=whole,
        )
        self.stage.assigned({self.tp: 0})

    async def _send(self, messages: Sequence[Message]) -> None:
        self.sent += messages

    def take(self, values: Sequence[bytes | None], start: int, committed: int = 0) -> None:
        """Handle the values as one batch that begins at offset `start`."""
        records: list[Record] = [
            ConsumerRecord(
                *self.tp, start + n, APPENDED_MS + n, 1, None, value, None, -1, len(value or b""), ()
            )
            for n, value in enumerate(values)
        ]
        batch = PartitionBatch(self.tp, records, committed)
        self.counts.append(dict(asyncio.run(self.stage.handle([batch]))[self.tp]))

    def state(self) -> tuple[Any, ...]:
        """Return all that the next batch will be judged by."""
        stage = self.stage
        return (
            list(stage.repeated._seen.items()),
            list(stage.reused._first.items()),
            list(stage.recent._stated),
            list(stage.recent._holders.items()),
            stage.seen,
            stage.evaluation_errors,
        )


def same(
    kind: str,
    batches: Sequence[Sequence[bytes | None]],
    committed: int = 0,
    engines: Mapping[str, Engine] = ENGINES,
) -> int:
    """Feed both ways; return how many records were told in outline."""
    outline, whole = Run(kind, engines, whole=False), Run(kind, engines, whole=True)
    told: list[int] = []
    start = 0
    for values in batches:
        for run in (outline, whole):
            run.take(values, start, committed)
        start += len(values)
        assert outline.sent == whole.sent
        assert outline.counts == whole.counts
        assert outline.state() == whole.state()
        told.append(outline.stage._outlining[outline.tp.topic].told if outline.stage._outlining else 0)
    return told[-1]


@pytest.mark.parametrize("kind", KINDS)
def test_the_conformance_data_again_and_again(kind: str) -> None:
    assert isinstance(profile(kind), Outlined)
    same(kind, [BODIES[kind]] * 4)


@pytest.mark.parametrize("kind", KINDS)
def test_sorts_that_come_often_are_looked_at_a_second_time(kind: str) -> None:
    bodies = conformance(kind)
    many = [body for body in bodies[:: max(1, len(bodies) // 12)] for _ in range(220)]
    same(kind, [many, many])
    assert same(kind, [many, many], engines=SOME_ENGINES), "the other tests would show nothing"


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_records_and_envelopes(kind: str) -> None:
    mixed = [
        value
        for pair in zip(HOSTILE, (BODIES[kind] * len(HOSTILE))[: len(HOSTILE)], strict=True)
        for value in pair
    ]
    same(kind, [[None, b"", *mixed], mixed[::-1]])


@pytest.mark.parametrize("kind", KINDS)
def test_records_that_an_earlier_life_has_counted(kind: str) -> None:
    same(kind, [BODIES[kind], BODIES[kind]], committed=len(BODIES[kind]) + 3)


ODD = st.one_of(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False),
    st.sampled_from(
        [
            "-",
            "",
            "x",
            "403",
            "outbound|80||a.b.svc",
            "via_upstream",
            "status",
            "pods",
            "2026-11-20T08:15:30z",
        ]
    ),
    st.text(max_size=6),
    st.lists(st.sampled_from(["a", ""]) | st.integers(0, 3), max_size=3),
    st.dictionaries(st.sampled_from(["type", "code", "id"]), st.text(max_size=2)),
)


def paths_in(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, item in inner for path in paths_in(item, (*at, key)))]


def changed(data: st.DataObject, body: bytes) -> bytes:
    record = orjson.loads(body)
    for _ in range(data.draw(st.integers(0, 3))):
        path = data.draw(st.sampled_from(paths_in(record)[1:] or [("x",)]))
        owner: Any = record
        for key in path[:-1]:
            owner = owner[key]
        if isinstance(owner, dict) and data.draw(st.booleans()):
            del owner[path[-1]]
        else:
            owner[path[-1]] = data.draw(ODD)
    text = bytearray(
        json.dumps(record, ensure_ascii=data.draw(st.booleans())).encode("utf-8", "surrogatepass")
    )
    if data.draw(st.booleans()) and text:
        text[data.draw(st.integers(0, len(text) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    return bytes(text)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_changed_values_and_bytes(kind: str, data: st.DataObject) -> None:
    bodies = data.draw(st.lists(st.sampled_from(BODIES[kind]), min_size=1, max_size=6))
    values = [changed(data, body) for body in bodies]
    same(kind, [bodies, values, bodies, values])
