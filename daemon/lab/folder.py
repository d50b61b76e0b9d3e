"""A play as files: a file of JSON Lines a source, the mesh's lines as TEXT too, labels, inventory."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Final

import orjson

from daemon.demo.traffic.istio_access import text
from daemon.lab.inventory import document
from daemon.lab.score import seconds
from daemon.lab.script import SCHEMA, Script, labels
from daemon.lab.stage import ISTIO, KINDS
from detectors.level import LEVELS

LABELS: Final = "labels.json"
INVENTORY: Final = "inventory.yaml"
MESH_TEXT: Final = "istio_access.log"


class LabelsError(ValueError):
    """A file is not what `davylamp lab` writes; the message names it."""


def file_of(kind: str) -> str:
    """Return the name of a source's file."""
    return f"{kind}.jsonl"


def write(script: Script, folder: Path) -> dict[str, Any]:
    """Write a play into `folder`, which is made, and return its labels.

    ``KIND.jsonl`` for each source, ``istio_access.log`` (the same lines in Istio's TEXT format),
    `labels.json` and `inventory.yaml`. Files of those names are replaced. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count: Counter[str] = Counter()
    places: list[dict[str, Any]] = []
    for one in script.played:
        count[one.kind] += 1
        places.append({"line": count[one.kind]})
    for kind in KINDS:
        lines = b"".join(orjson.dumps(one.body) + b"\n" for one in script.of(kind))
        (folder / file_of(kind)).write_bytes(lines)
    (folder / MESH_TEXT).write_bytes(b"".join(text(one.body) + b"\n" for one in script.of(ISTIO)))
    found = labels(script, places)
    (folder / LABELS).write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    (folder / INVENTORY).write_text(document(script.world), encoding="utf-8")
    return found


def read_labels(path: Path) -> dict[str, Any]:
    """Return the labels of a file. Raises LabelsError, and OSError for a file that cannot be read."""
    found = _object(path, path.read_bytes())
    if found.get("schema") != SCHEMA:
        raise LabelsError(f"{path}: no labels of the lab: schema is {found.get('schema')!r}, not {SCHEMA!r}")
    try:
        for label in (*found["techniques"], *found["look_alikes"]):
            seconds(label["start"])
            if not label["id"] or not label["title"] or label["source"] not in KINDS:
                raise ValueError(f"{label['id']}: source is {label['source']!r}")
            if label.get("level") not in (None, *LEVELS):
                raise ValueError(f"{label['id']}: level is {label['level']!r}")
            for record in (*label["records"], *label["supporting"]):
                if not (record.get("id") or record.get("at") or record["line"]):
                    raise ValueError(f"{label['id']}: a record without id and place")
        if not all(type(count) is int for count in found["counts"].values()):
            raise ValueError("counts are whole numbers")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LabelsError(f"{path}: no labels of the lab: {type(error).__name__}: {error}") from error
    return found


def read_findings(path: Path) -> list[dict[str, Any]]:
    """Return the findings of a file: one JSON object a line, as `scan --json` prints them.

    Raises LabelsError, and OSError for a file that cannot be read.
    """
    with path.open("rb") as lines:
        return [_finding(path, line, number) for number, line in enumerate(lines, 1) if line.strip()]


def _finding(path: Path, line: bytes, number: int) -> dict[str, Any]:
    one = _object(path, line, number)
    try:
        seconds(one["event_time"])
        if one["level"] not in LEVELS or one["source"] not in KINDS or not isinstance(one["finding_id"], str):
            raise ValueError(f"level {one['level']!r}, source {one['source']!r}")
        if not all(isinstance(event_id, str) for event_id in one["event_ids"]):
            raise ValueError("event_ids are texts")
        for place in one.get("locations", ()):
            if type(place["line"]) is not int:
                raise ValueError("a line is a whole number")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        said = f"{type(error).__name__}: {error}"
        raise LabelsError(
            f"{path}:{number}: no finding ({said}); davylamp scan --json prints them"
        ) from error
    return one


def _object(path: Path, data: bytes, line: int = 1) -> dict[str, Any]:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise LabelsError(f"{path}:{line}: no JSON: {error}") from error
    if not isinstance(value, dict):
        raise LabelsError(f"{path}:{line}: no JSON object")
    return value
