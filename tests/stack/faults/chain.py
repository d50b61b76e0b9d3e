"""A chain of faults on one broker: records, a fault in the middle, more records, then the reckoning."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
from faults.portion import BURST_RULE, Portion, burst_finals
from faults.row import Row
from faults.workers import FOLDER, Workers
from kafka.expected import Expected, counters_in_commits, last_flows, letter_origins, rule_findings
from kafka.stage import Stage
from parts.kafka import KafkaPart

from connectors.kafka.conservation import detect_violations, forward_violations

if TYPE_CHECKING:
    from faults.catalogue import Fault
    from kafka.cluster import Record

RULES: Final = Path(__file__).parent / "rules" / "chain.yml"
DETECT: Final = "davylamp-detect"
FORWARD: Final = "davylamp-forward-file"
_GIVE_UP_S: Final = 150.0
_FINALS_S: Final = 60.0
_LOOK_S: Final = 0.1
_PART_S: Final = 0.3
"""Between the parts of a burst: longer than correlate waits for a batch to fill."""


class Chain:
    """The scene of several faults, one after another; `close` is the stack's."""

    def __init__(
        self, kafka: KafkaPart, folder: Path, stack: ExitStack, workers: int, *, clocked: bool = False
    ) -> None:
        """Wipe the broker, make the topics, start the workers and wait until they are ready."""
        self.kafka = kafka
        self.count = workers
        self.stage = Stage(kafka.brokers, folder, stack, str(RULES))
        self.cluster = self.stage.cluster
        self.expected = Expected(self.stage.settings)
        self.workers = Workers(self.stage, workers, clocked=clocked)
        self._portions: list[tuple[Portion, Row]] = []
        self._whole_at = 0.0
        self.workers.start()

    def play(self, fault: Fault, size: int) -> None:
        """Write half a portion, make the fault, write the other half, wait until all is counted."""
        portion = Portion(len(self._portions) + 1, size)
        read = self.counters().get("records:read", 0)
        self._write(portion, 0)
        self._until(lambda: self.counters().get("records:read", 0) > read)
        with fault.make(self):
            self._write(portion, 1)
        done = self._until(self._all_read)
        self._portions.append((portion, self._row(fault, time.monotonic() - self._whole_at, done)))

    def _write(self, portion: Portion, half: int) -> None:
        for part in portion.half(half):
            self.feed(part)
            time.sleep(_PART_S)

    def feed(self, records: Any, **options: Any) -> None:
        """Write records and take them into what is expected."""
        made: list[Record] = list(records)
        self.expected.add(made)
        self.cluster.fill(made, **options)

    def whole_again(self) -> None:
        """Note that the fault is over: recovery is counted from here."""
        self._whole_at = time.monotonic()

    def counters(self) -> dict[str, int]:
        """Return detect's counters in the group's commits."""
        return counters_in_commits(self.cluster, DETECT)

    def rows(self) -> list[Row]:
        """Wait for the finals, stop the workers, and return a row for each fault, reckoned at the end.

        What cannot be laid at one fault's door stands in the last row.
        """
        wanted = set[tuple[str, ...]]().union(*(portion.finals for portion, _ in self._portions))
        self._until(lambda: set(burst_finals(self._findings())) >= wanted, _FINALS_S)
        broken = self.workers.violations()
        self.workers.stop()
        finals = burst_finals(self._findings())
        rows: list[Row] = []
        for portion, row in self._portions:
            missing = portion.finals - finals.keys()
            again = [ids for ids in portion.finals if len(finals.get(ids, ())) > 1]
            rows.append(row.and_also(missing, again, ()))
        strange = finals.keys() - wanted
        lost, twice = self._differences()
        rows[-1] = rows[-1].and_also(lost, [*strange, *twice], [*broken, *self._broken_laws()])
        return rows

    def _row(self, fault: Fault, recovery_s: float, done: bool) -> Row:
        difference = self.expected.difference(self.counters())
        lost = sum(max(0, wanted - counted) for counted, wanted in difference.values())
        twice = sum(max(0, counted - wanted) for counted, wanted in difference.values())
        undone = [] if done else [f"not all counted and forwarded: {difference}", self.workers.logs()]
        broker = f"{self.kafka.name} {self.kafka.version}"
        return Row(fault.name, self.count, lost, 0, twice, 0, recovery_s, broker, undone)

    def _all_read(self) -> bool:
        if self.expected.difference(self.counters()):
            return False
        return self.expected.events <= self._forwarded()

    def _until(self, condition: Any, timeout_s: float = _GIVE_UP_S) -> bool:
        give_up = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > give_up:
                return False
            self.workers.keep()
            time.sleep(_LOOK_S)
        return True

    def _findings(self) -> list[dict[str, Any]]:
        return self.cluster.documents("davylamp.findings")

    def _forwarded(self) -> set[str]:
        folder = self.stage.settings.state_dir / FOLDER
        return {
            orjson.loads(line)["event"]["id"]
            for file in folder.glob("logs-davylamp.events-*")
            for line in file.read_bytes().splitlines()
            if line.endswith(b"}")
        }

    def _differences(self) -> tuple[list[str], list[str]]:
        """Return what is missing and what is too much, over all faults."""
        pairs: list[tuple[str, set[Any], set[Any]]] = [
            ("finding", self.expected.findings, self._rule_findings()),
            ("flow", set(self.expected.flows.items()), set(last_flows(self.cluster).items())),
            ("dead letter", self.expected.letters, letter_origins(self.cluster)),
            ("document", self.expected.events, self._forwarded()),
        ]
        lost = [f"{kind} {one}" for kind, wanted, found in pairs for one in wanted - found]
        twice = [f"{kind} {one}" for kind, wanted, found in pairs for one in found - wanted]
        return lost, twice

    def _rule_findings(self) -> set[str]:
        correlated = {f["finding_id"] for f in self._findings() if f["rule_id"] == BURST_RULE}
        return set(rule_findings(self.cluster)) - correlated

    def _broken_laws(self) -> list[str]:
        counted = counters_in_commits(self.cluster, FORWARD)
        return [*detect_violations(self.counters()), *forward_violations(counted)]
