"""What reading a set of records once must give, computed without Kafka and without a role."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kafka.records import Record

from config.settings import Settings
from connectors.kafka.checkpoint import decode_counters
from connectors.kafka.conservation import total
from connectors.sources import catalogue
from connectors.sources.envelope import unpack
from daemon.roles.detect.blocks import BLOCK_OFFSETS
from daemon.ruleset import ruleset
from detectors.sigma.engine import Engine

if TYPE_CHECKING:
    from kafka.cluster import Cluster


class Expected:
    """The findings, flows, dead letters and counts of `records`, each read exactly once."""

    def __init__(self, settings: Settings, records: Sequence[Record] = ()) -> None:
        self._engine = Engine(ruleset(settings.detection))
        self._kinds = settings.kafka.topics.kinds()
        self._offsets: dict[tuple[str, int], int] = {}
        self.findings: set[str] = set()
        self.letters: set[str] = set()
        self.events: set[str] = set()
        self.flows: dict[tuple[Any, ...], int] = {}
        self.counts: dict[str, int] = {}
        self.add(records)

    def add(self, records: Iterable[Record]) -> None:
        """Take in what was written after the records before."""
        for topic, partition, value in records:
            offset = self._offsets.get((topic, partition), 0)
            self._offsets[topic, partition] = offset + 1
            source = catalogue.profile(self._kinds[topic])
            self._count("records:read", 1)
            unpacked = unpack(value, source, topic, partition, offset)
            self._count(f"records:{unpacked.ending}", 1)
            self._count("events:unpacked", unpacked.unpacked_events)
            self.letters |= {str(reject.locator) for reject in unpacked.rejects}
            for event in unpacked.events:
                self.events.add(event.event_id)
                self.findings |= {one.finding_id for one in self._engine.inspect(event).findings}
                for contact in source.contacts(event):
                    key = (topic, partition, offset // BLOCK_OFFSETS, contact.subject, contact.peer)
                    self.flows[key] = self.flows.get(key, 0) + 1

    def difference(self, counters: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """Return what differs: name -> (counted, expected)."""
        return {n: (counters.get(n, 0), c) for n, c in self.counts.items() if counters.get(n, 0) != c}

    def _count(self, name: str, number: int) -> None:
        self.counts[name] = self.counts.get(name, 0) + number


def counters_in_commits(cluster: Cluster, group: str) -> dict[str, int]:
    """Return the sum of the counters that the group's commits carry."""
    return total(decode_counters(commit.metadata) for commit in cluster.committed(group).values())


def rule_findings(cluster: Cluster) -> list[str]:
    """Return the ids of the findings of rules, as often as they were written."""
    found = cluster.documents("davylamp.findings")
    return [f["finding_id"] for f in found if not f["rule_id"].startswith("davylamp-")]


def last_flows(cluster: Cluster) -> dict[tuple[Any, ...], int]:
    """Return the last record of each flow: (topic, partition, block, subject, peer) -> count."""
    last = {flow["flow_id"]: flow for flow in cluster.documents("davylamp.flows") if flow["kind"] == "flow"}
    return {
        (f["topic"], f["partition"], f["block"], tuple(f["subject"]), tuple(f["peer"])): f["count"]
        for f in last.values()
    }


def letter_origins(cluster: Cluster) -> set[str]:
    """Return where the dead letters come from."""
    headers = [dict(message.headers() or []) for message in cluster.everything("davylamp.dlq")]
    origins = [header["origin"] for header in headers]
    return {origin.decode() for origin in origins if isinstance(origin, bytes)}
