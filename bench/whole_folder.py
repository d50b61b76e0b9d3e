"""`davylamp scan` and `normalise` over every file of a folder: events, documents, rejects by reason, faults.

Run `python bench/whole_folder.py [FOLDER] [--json]`; without a folder it says so and does nothing. Each file
is read as every source kind, because a file of another kind, or of no events, must end by name as well;
the table shows the kind with the most events.
Exits 1 when a command fails, 3 when the folder is absent.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from click.testing import CliRunner

from connectors.sources.catalogue import KINDS, profile
from connectors.sources.files import FileUnreadableError, read_events
from connectors.sources.reject import Reject
from daemon.cli.normalise import normalise
from daemon.cli.scan import scan


def counted(path: Path, kind: str) -> dict[str, Any]:
    """Return how many events `path` has when read as `kind`, and its rejects by reason."""
    events, rejects = 0, Counter[str]()
    for found in read_events(path, profile(kind)):
        if isinstance(found, Reject):
            rejects[found.reason.value] += 1
        else:
            events += 1
    return {"kind": kind, "events": events, "rejects": dict(rejects)}


def commands(path: Path, kind: str, events: int) -> dict[str, Any]:
    """Run both commands in this process; return documents, findings and what was wrong."""
    wrong: list[str] = []
    runner = CliRunner()
    lines: dict[str, list[bytes]] = {}
    for name, command, codes, more in (
        ("normalise", normalise, {0}, []),
        ("scan", scan, {0, 1}, ["--json"]),
    ):
        done = runner.invoke(command, [str(path), "--source", kind, *more])
        if done.exit_code not in codes or (done.exception and not isinstance(done.exception, SystemExit)):
            wrong.append(f"{name}: exit {done.exit_code}, {done.exception!r}"[:300])
        lines[name] = done.stdout_bytes.splitlines()
        if not all(isinstance(orjson.loads(line), dict) for line in lines[name]):
            wrong.append(f"{name}: a line that is no object")
    if len(lines["normalise"]) != events:
        wrong.append(f"normalise: {len(lines['normalise'])} documents of {events} events")
    return {"documents": len(lines["normalise"]), "findings": len(lines["scan"]), "wrong": wrong}


def measure(path: Path) -> dict[str, Any]:
    """Return what `path` gives as the kind that fits best, and what was wrong with any kind."""
    began = time.process_time()
    read, wrong = [], []
    for kind in KINDS:
        try:
            as_kind = counted(path, kind)
        except FileUnreadableError as error:
            return {"kind": None, "unreadable": str(error), "wrong": []}
        ran = commands(path, kind, as_kind["events"])
        wrong += [f"{kind}: {one}" for one in ran.pop("wrong")]
        read.append({**as_kind, **ran})
    best = max(read, key=lambda one: one["events"])
    return {**best, "wrong": wrong, "seconds": round(time.process_time() - began, 1)}


def files(folder: Path) -> Iterator[Path]:
    """Yield the files below `folder` in order."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.folder is None:
        print("no folder of event files was given")
        return
    if not given.folder.is_dir():
        print(f"{given.folder} is no folder", file=sys.stderr)
        sys.exit(3)
    found: dict[str, dict[str, Any]] = {}
    for path in files(given.folder):
        name = str(path.relative_to(given.folder))
        row = found[name] = measure(path)
        if not given.json:
            reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(row["rejects"].items()))
            kind = row["kind"] if row["events"] else "-"
            figures = (
                f"{row['events']:>7} events {row['documents']:>7} documents {row['findings']:>6} findings"
            )
            print(f"{name:<58} {kind:<17} {figures}  {reasons} {' '.join(row['wrong'])}", flush=True)
    if given.json:
        print(json.dumps(found))
    bad = sum(bool(row["wrong"]) for row in found.values())
    print(f"{len(found)} files, {bad} with a command that failed", file=sys.stderr)
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
