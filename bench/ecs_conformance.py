"""ECS conformance over a folder of event data: every event becomes a document, every document is checked.

Run `python bench/ecs_conformance.py FOLDER... [--fields FILE] [--json]`. Files are JSON, JSON Lines, text
lines or headerless audit CSV, each also gzipped; the wrappers of test sets (`event`, `data`, ..) are opened.
Prints files, documents, violations, what was no event; exits 1 on a violation or if no document was made.
"""

from __future__ import annotations

import argparse
import collections
import csv
import gzip
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from connectors.ecs.conformance import FieldSet, problems
from connectors.ecs.event import event_document
from connectors.sources.catalogue import SOURCES
from connectors.sources.envelope import unpack
from detectors.event import Event

FIELDS = Path(__file__).resolve().parent.parent / "tests/connectors/ecs/data/ecs_fields.json"
WRAPPERS = ("event", "data", "line", "record", "text")
INGESTED = 1_800_000_000.0
# Columns of `kubernetes-event-dataset`: audit events flattened, no header.
COLUMNS = {
    1: ("requestReceivedTimestamp",),
    2: ("user", "username"),
    3: ("verb",),
    4: ("objectRef", "resource"),
    5: ("objectRef", "subresource"),
    6: ("objectRef", "name"),
    8: ("requestURI",),
    9: ("auditID",),
    10: ("stage",),
}


def events(value: bytes, name: str, line: int) -> list[Event]:
    """Return the events of the first source that knows `value`."""
    for source in SOURCES.values():
        found = unpack(value, source, name, 0, line, max_events=1_000_000, max_bytes=1 << 29)
        if found.events:
            return found.events
    return []


def within(value: Any) -> Iterator[bytes]:
    """Yield the records that a test set wraps: `event`, `data`, `line` and the items of `events`."""
    if isinstance(value, dict):
        for key in WRAPPERS:
            if isinstance(value.get(key), dict | list):
                yield orjson.dumps(value[key])
            elif isinstance(value.get(key), str):
                yield value[key].encode()
        if isinstance(value.get("hex"), str):
            yield bytes.fromhex(value["hex"])
        inner = value.get("events")
        for item in inner if isinstance(inner, list) else []:
            yield orjson.dumps(item)


def read(path: Path) -> Iterator[list[Event]]:
    """Yield the events of each piece of a file; an empty list is a piece that holds none."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if ".csv" in path.suffixes:
        for number, row in enumerate(csv.reader(io.StringIO(data.decode())), 1):
            yield events(audit(row), path.name, number)
        return
    try:
        pieces = [data] if data.lstrip()[:1] in (b"{", b"[") and orjson.loads(data) else []
    except orjson.JSONDecodeError:
        pieces = (
            data.splitlines() if data.count(b"\n{") + data.count(b"\n[") + 1 >= data.count(b"\n") else [data]
        )
    for number, piece in enumerate(pieces, 1):
        found = events(piece, path.name, number)
        if not found and piece[:1] == b"{":
            try:
                found = [
                    one for part in within(orjson.loads(piece)) for one in events(part, path.name, number)
                ]
            except orjson.JSONDecodeError:
                found = []
        yield found


def audit(row: list[str]) -> bytes:
    """Return the audit event of a CSV row as JSON; b"" when it is none."""
    if len(row) < 12:
        return b""
    record: dict[str, Any] = {"kind": "Event", "apiVersion": "audit.k8s.io/v1", "stageTimestamp": row[1]}
    for column, path in COLUMNS.items():
        if row[column]:
            at = record
            for key in path[:-1]:
                at = at.setdefault(key, {})
            at[path[-1]] = row[column]
    if row[11].isdigit():
        record["responseStatus"] = {"code": int(row[11])}
    return orjson.dumps(record)


def check(path: Path, fields: FieldSet) -> dict[str, Any]:
    """Return the figures of one file: documents, violations (by sentence), pieces without an event."""
    said: collections.Counter[str] = collections.Counter()
    sources: collections.Counter[str] = collections.Counter()
    empty = 0
    for found in read(path):
        empty += not found
        for event in found:
            document = event_document(event, "default", INGESTED)
            sources[event.source] += 1
            said.update(problems(orjson.loads(document.payload), fields))
    return {
        "file": str(path),
        "documents": sum(sources.values()),
        "sources": dict(sources),
        "no_event": empty,
        "violations": sum(said.values()),
        "first": dict(said.most_common(20)),
    }


def main() -> int:
    """Check every file below the folders, print the figures, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--fields", type=Path, default=FIELDS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    fields = FieldSet.load(options.fields)
    names = (".jsonl", ".json", ".log", ".csv", ".gz")
    files = sorted(
        path
        for folder in options.folders
        for path in (folder.rglob("*") if folder.is_dir() else [folder])
        if path.is_file() and path.suffix in names
    )
    rows = [check(path, fields) for path in files]
    whole = {key: sum(row[key] for row in rows) for key in ("documents", "violations", "no_event")}
    if options.json:
        print(json.dumps({"files": len(rows), **whole, "rows": rows}))
    else:
        for row in rows:
            print(f"{row['documents']:>7} documents {row['violations']:>7} violations  {row['file']}")
            for sentence, count in row["first"].items():
                print(f"        {count:>6}  {sentence}")
        print(f"{len(rows)} files, {whole['documents']} documents, {whole['violations']} violations")
    return 1 if whole["violations"] or not whole["documents"] else 0


if __name__ == "__main__":
    sys.exit(main())
