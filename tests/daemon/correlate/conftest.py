"""What the tests of correlate share: rules, records, states in memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest
from prometheus_client import CollectorRegistry

from config.settings import Settings
from daemon.roles.correlate.evaluation import Evaluation, Evaluator, Record
from daemon.roles.correlate.matches import Correlation, MatchEvaluator
from daemon.roles.correlate.metrics import Metrics
from daemon.roles.correlate.rules import correlations
from daemon.roles.correlate.watermark import Watermarks
from detectors.event import Entity
from detectors.sigma.document import RuleDocument
from detectors.sigma.match import Match
from detectors.sigma.ruleset import RuleSet

RULES = Path(__file__).parent / "rules"
BASE = "6f1d4a2e-0c5b-4b0f-9a55-1f0d6f2b7a01"
BURST = "6f1d4a2e-0c5b-4b0f-9a55-1f0d6f2b7a02"
KINDS = {"k8s.audit": "kubernetes_audit", "vault.audit": "vault_audit"}
LATENESS_S = 10.0


class MemoryStates:
    """The states of a table, in a dict; `apply` does what the discipline does after a batch."""

    def __init__(self) -> None:
        self.values: dict[tuple[int, str], bytes] = {}

    def read(self, key: str, partition: int) -> bytes | None:
        return self.values.get((partition, key))

    def keys_of(self, partition: int) -> list[str]:
        return sorted(key for owner, key in self.values if owner == partition)

    def apply(self, evaluation: Evaluation) -> None:
        for write in evaluation.writes:
            if write.value is None:
                self.values.pop((write.partition, write.key), None)
            else:
                self.values[write.partition, write.key] = write.value


class Drive:
    """Feeds an evaluator batch by batch and keeps what it found."""

    def __init__(self, evaluator: Evaluator, states: MemoryStates) -> None:
        self.evaluator = evaluator
        self.states = states
        self.findings: list[dict[str, object]] = []

    def feed(self, records: Iterable[Record]) -> None:
        evaluation = self.evaluator.evaluate(list(records), self.states)
        self.findings += [finding.to_json() for finding in evaluation.findings]
        self.states.apply(evaluation)

    def finals(self) -> set[bytes]:
        """Return the finals without `confirms`: which provisionals went out depends on the arrival."""
        stripped = [{k: v for k, v in f.items() if k != "confirms"} for f in self.findings]
        return {orjson.dumps(f) for f in stripped if f["status"] == "final"}


class Records:
    """Builds records of `davylamp.matches` with rising offsets; every value is bytes as in Kafka."""

    def __init__(self) -> None:
        self._offsets = itertools.count()

    def match(self, time: float, event_id: str, *, user: str = "eve", partition: int = 0) -> Record:
        entity = Entity("k8s_user", user, "actor")
        match = Match(
            BURST, BASE, (user,), event_id, time, "kubernetes_audit", "low", (entity,), f"{user} was refused"
        )
        return self.raw(match.key(), match.to_json(), partition, append=time)

    def heartbeat(
        self, through: float | None, *, partition: int = 0, idle: bool = False, append: float | None = None
    ) -> Record:
        report = {
            "kind": "kubernetes_audit",
            "through_offset": 9,
            "max_event_time": through,
            "append_time": append if append is not None else through,
            "idle": idle,
        }
        document = {
            "kind": "heartbeat",
            "worker": "w",
            "partition_counts": {"k8s.audit": 1},
            "partitions": {"k8s.audit/0": report},
        }
        return self.raw("", document, partition, append=append or through or 0.0)

    def raw(self, key: str, document: object, partition: int, append: float) -> Record:
        value = document if isinstance(document, bytes) else orjson.dumps(document)
        return Record(partition, next(self._offsets), key.encode(), value, append)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


@pytest.fixture
def records() -> Records:
    return Records()


@pytest.fixture
def test_rules() -> list[RuleDocument]:
    return [RuleDocument(str(path), path.read_text(encoding="utf-8")) for path in sorted(RULES.glob("*.yml"))]


@pytest.fixture
def test_correlations(test_rules: list[RuleDocument]) -> dict[str, Correlation]:
    loaded = RuleSet.load(test_rules)
    assert not loaded.refusals
    return correlations(loaded)


@pytest.fixture
def watermarks() -> Callable[[], Watermarks]:
    return lambda: Watermarks(KINDS, lambda _kind: LATENESS_S)


@pytest.fixture
def new_drive(
    test_correlations: dict[str, Correlation], watermarks: Callable[[], Watermarks]
) -> Callable[[], Drive]:
    """Return a function that makes a driven evaluator with empty states."""
    return lambda: Drive(
        MatchEvaluator(test_correlations, watermarks, Metrics(CollectorRegistry())), MemoryStates()
    )


@pytest.fixture
def new_records() -> Callable[[], Records]:
    return Records


@pytest.fixture
def new_states() -> Callable[[], MemoryStates]:
    return MemoryStates


@pytest.fixture
def states() -> MemoryStates:
    return MemoryStates()


@pytest.fixture
def role_settings(tmp_path: Path, quick_kafka: dict[str, object]) -> Settings:
    """Quick sessions, a day of learning, only the rules beside the tests, one raw topic."""
    return Settings.model_validate(
        {
            "state_dir": tmp_path / "state",
            "kafka": {
                **quick_kafka,
                "topics": {
                    "kubernetes_audit": ["k8s.audit"],
                    "cloudtrail": [],
                    "istio_access": [],
                    "vault_audit": [],
                },
            },
            "detection": {
                "builtin_rules": False,
                "rules": [RULES],
                "learning_days": 1,
                "lateness": {"kubernetes_audit": LATENESS_S},
            },
        }
    )


SUBJECT = "terraminer-data/extractor"
DAY_S = 86400.0


def flow(day: float, peer: str, offset: int, model: str = "mesh_edge") -> Record:
    time = day * DAY_S
    document: dict[str, Any] = {
        "kind": "flow",
        "flow_id": f"f{offset}",
        "model": model,
        "source": "istio_access",
        "topic": "istio.access",
        "partition": 0,
        "block": offset,
        "subject": ["workload", SUBJECT],
        "peer": ["host", peer],
        "count": 1,
        "bytes_out": 10,
        "first_time": time,
        "last_time": time,
        "first_event_id": f"event-{offset}",
        "entities": [],
    }
    return Record(0, offset, f"{model}|workload:{SUBJECT}".encode(), orjson.dumps(document), time)


@pytest.fixture
def new_flow() -> Callable[..., Record]:
    return flow
