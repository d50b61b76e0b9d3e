"""Rules that change while detect reads from real Kafka: every event is judged by one set."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import orjson
import pytest
from kafka.expected import counters_in_commits
from kafka.records import CLOUDTRAIL, STOPPED, cloudtrail
from kafka.stage import Stage
from kafka.waiting import until
from parts.kafka import KafkaPart

from connectors.kafka.conservation import detect_violations

GROUP: Final = "davylamp-detect"
SETS: Final = 8
RULE: Final = """title: set {version}
id: 8a0f6f3a-3d0d-4a3e-9d57-0a1b6c2e9e{number:02d}
status: test
logsource: {{product: aws, service: cloudtrail}}
detection:
  selection: {{eventName: StopLogging}}
  condition: selection
level: high
"""


class Sets:
    """A folder as the kubelet makes it; each set is two rules in two files, replaced by one rename."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.put(0)
        for number in (1, 2):
            (folder / f"{number}.yml").symlink_to(f"..data/{number}.yml")

    def put(self, version: int) -> None:
        """Replace both rules at once."""
        inner = self.folder / f"..set_{version}"
        inner.mkdir()
        for number in (1, 2):
            text = RULE.format(version=version, number=number)
            (inner / f"{number}.yml").write_text(text, encoding="utf-8")
        fresh = self.folder / "..data_tmp"
        fresh.symlink_to(inner.name)
        fresh.replace(self.folder / "..data")


@contextmanager
def flowing(stage: Stage) -> Iterator[list[int]]:
    """Write attacks without a pause while the block lasts; the list's length is how many."""
    written: list[int] = []
    enough = threading.Event()

    def write() -> None:
        for first in itertools.count(0, 50):
            if enough.is_set():
                return
            numbers = range(first, first + 50)
            stage.cluster.fill((CLOUDTRAIL, n % 4, orjson.dumps(cloudtrail(n, STOPPED))) for n in numbers)
            written.extend(numbers)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield written
    finally:
        enough.set()
        writer.join()


@pytest.mark.claim("rules replaced eight times while detect reads: no event is judged by parts of two sets")
def test_no_event_is_judged_by_parts_of_two_sets(kafka: KafkaPart, tmp_path: Path) -> None:
    sets = Sets(tmp_path / "rules")
    with ExitStack() as stack:
        stage = Stage(kafka.brokers, tmp_path / "stage", stack, "stopped-trail.yml")
        detection = {**stage.document()["detection"], "rules": [str(sets.folder)]}
        operation = {"reload_watch_s": 0.2}
        worker = stage.role("detect", "detect", detection=detection, operation=operation).start()
        worker.wait_ready()
        hashes = {hash_of(worker.status())}
        with flowing(stage) as written:
            for version in range(1, SETS + 1):
                sets.put(version)
                worker.wait_for(lambda: hash_of(worker.status()) not in hashes)
                hashes.add(hash_of(worker.status()))
        counted = lambda: counters_in_commits(stage.cluster, GROUP)  # noqa: E731
        until(lambda: counted().get("events:accepted") == len(written), counted)
        assert detect_violations(counted()) == [] and worker.status()["violations"] == []
        worker.stop()
        judged = judgements(stage)
    assert judged.keys() == {cloudtrail(number)["eventID"] for number in written}
    mixed = {event: found for event, found in judged.items() if {rule for rule, _ in found} != {"01", "02"}}
    mixed |= {event: found for event, found in judged.items() if len({title for _, title in found}) != 1}
    assert not mixed, dict(itertools.islice(mixed.items(), 5))
    used = {title for found in judged.values() for _, title in found}
    print(f"{len(written)} events, {len(used)} of {SETS + 1} sets judged some")
    assert len(used) >= SETS // 2, "the sets were replaced while events came"


def hash_of(status: dict[str, object]) -> object:
    """Return the hash of the rules in force."""
    match status.get("reload"):
        case {"rules": {"hash": found}}:
            return found
        case _:
            return None


def judgements(stage: Stage) -> dict[str, set[tuple[str, str]]]:
    """Return event id -> (rule, title) of each of its findings."""
    out: dict[str, set[tuple[str, str]]] = {}
    for finding in stage.cluster.documents("davylamp.findings"):
        if not finding["rule_id"].startswith("davylamp-"):
            out.setdefault(finding["event_id"], set()).add((finding["rule_id"][-2:], finding["title"]))
    return out
