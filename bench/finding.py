"""What one finding costs: from an event that a rule matches to the finding, and from there to its JSON.

Run `python bench/finding.py [--events N] [--rounds R] [--json]`. Every event is decoded and meets one rule
that always matches; the same with a rule that never does is taken off. Events: the demo's ordinary week, and
CloudTrail records of about 1.2 KB. CPU time, in turns inside one process. Target: 10 us with the JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from scan_events import event, write_week

from connectors.sources.catalogue import KINDS, profile
from connectors.sources.source import Source
from daemon.garbage import settle
from detectors.event import Locator
from detectors.sigma.document import RuleDocument
from detectors.sigma.engine import Engine
from detectors.sigma.ruleset import RuleSet

TARGET_US = 10.0
BLOCK = 100
"""Events of one turn: what else the machine does meets all three alike."""
FIELDS = {
    "cloudtrail": ("aws", "cloudtrail", "eventName"),
    "kubernetes_audit": ("kubernetes", "audit", "verb"),
    "istio_access": ("istio", "access", "start_time"),
    "vault_audit": ("vault", "audit", "type"),
}
"""Product and service of each source, and a field that every event of it has."""
RULE = """
title: A rule of the benchmark
id: 0b5b4b25-bb90-4618-93b4-089e86c22047
status: test
level: high
logsource: {{product: {product}, service: {service}}}
detection:
  selection:
    {field}|exists: {exists}
  condition: selection
"""


def engine(kind: str, *, matches: bool) -> Engine:
    """Return an engine whose one rule matches every event of `kind`, or none."""
    product, service, field = FIELDS[kind]
    text = RULE.format(product=product, service=service, field=field, exists=str(matches).lower())
    return Engine(RuleSet.load([RuleDocument("bench.yml", text)]))


def samples(kind: str, count: int) -> list[bytes]:
    """Return lines of `kind`."""
    if kind == "cloudtrail":
        return [orjson.dumps(event(number)) for number in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / kind
        write_week(path, kind, count)
        return path.read_bytes().splitlines()


def cpu(source: Source, given: Engine, lines: Sequence[bytes], written: list[int] | None = None) -> float:
    """Return the CPU seconds of decoding and inspecting `lines`, with `written` of the JSON too."""
    inspect, parse, at = given.inspect, source.parse, Locator("file", 0, 1, 0)
    began = time.process_time()
    for line in lines:
        for finding in inspect(parse(orjson.loads(line), at)).findings:
            if written is not None:
                written.append(len(orjson.dumps(finding.to_json())))
    return time.process_time() - began


def measure(kind: str, count: int, rounds: int) -> dict[str, Any]:
    """Return the microseconds of a finding and of its JSON, each with its spread, and the bytes of one."""
    source, lines = profile(kind), samples(kind, count)
    always, never = engine(kind, matches=True), engine(kind, matches=False)
    blocks = [lines[start : start + BLOCK] for start in range(0, len(lines), BLOCK)]
    rows: list[tuple[float, float]] = []
    sizes: list[int] = []
    for _ in range(rounds + 1):
        without = making = writing = 0.0
        sizes.clear()
        for block in blocks:
            without += cpu(source, never, block)
            making += cpu(source, always, block)
            writing += cpu(source, always, block, sizes)
        if len(sizes) != len(lines):
            raise SystemExit(f"{kind}: {len(sizes)} findings of {len(lines)} events")
        rows.append(((making - without) / len(lines) * 1e6, (writing - without) / len(lines) * 1e6))
    return {
        "events": len(lines),
        "bytes": round(sum(sizes) / len(lines)),
        "finding_us": _spread([made for made, _ in rows[1:]]),
        "together_us": _spread([both for _, both in rows[1:]]),
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    settle()
    figures = {kind: measure(kind, given.events, given.rounds) for kind in KINDS}
    if given.json:
        print(json.dumps({"target_us": TARGET_US, "sources": figures}))
        return
    for kind, row in figures.items():
        both = row["together_us"]
        print(
            f"{kind:<18} finding {row['finding_us']['median']:6.2f} us  with its JSON of {row['bytes']} B "
            f"{both['median']:6.2f} us ({both['min']:.2f} to {both['max']:.2f})"
        )


if __name__ == "__main__":
    main()
