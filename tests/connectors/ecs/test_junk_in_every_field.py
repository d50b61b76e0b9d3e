"""Whatever a caller writes into whatever field: the document is ECS, or the mapping was never reached."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import orjson
import pytest

from connectors.ecs.event import event_document
from connectors.sources.catalogue import KINDS, profile
from connectors.sources.reject import Reject
from detectors.event import Locator

DATA = Path(__file__).parent.parent / "sources/data"
JUNK = [
    None,
    "",
    "x" * 3000,
    "\ud7ff\n\x00\u202e",
    "999.999.1.1:99999",
    "[::1]:0",
    "-",
    -1,
    2**63,
    1e300,
    True,
    [],
    {},
    [None, {}, "a", ["b"]],
    {"a.b": {"c": [1]}, "": ""},
    "TLSv",
    "::ffff:10.0.0.1",
]


def paths(value, prefix=()):
    """Yield the path of every key and of the first item of every list."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*prefix, key)
            yield from paths(item, (*prefix, key))
    elif isinstance(value, list) and value:
        yield (*prefix, 0)
        yield from paths(value[0], (*prefix, 0))


def cases(kind):
    """Yield one record for each path that any sample has."""
    seen = set()
    for file in sorted(DATA.glob(f"{kind}*.jsonl")):
        for line in file.read_text().splitlines():
            record = json.loads(line).get("record")
            for path in paths(record):
                if path not in seen:
                    seen.add(path)
                    yield record, path


def put(record, path, value):
    """Return a copy of `record` with `value` at `path`."""
    whole = copy.deepcopy(record)
    at = whole
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return whole


@pytest.mark.parametrize("kind", KINDS)
def test_junk_in_every_field_makes_no_violation(problems, kind):
    source, made, wrong = profile(kind), 0, []
    for record, path in cases(kind):
        for junk in JUNK:
            try:
                event = source.parse(put(record, path, junk), Locator("t", 0, 1, 0))
            except Reject:
                continue
            found = event_document(event, "default", 1_800_000_000.0)
            made += 1
            wrong += [(path, junk, said) for said in problems(orjson.loads(found.payload))]
    assert made > 500 and wrong == []
