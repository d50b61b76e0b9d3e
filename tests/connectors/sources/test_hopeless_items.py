"""Items of nothing after too many bad ones are counted without a look, as a look would count them."""

from __future__ import annotations

import itertools
import json

import pytest

from connectors.sources.catalogue import KINDS, profile
from connectors.sources.envelope import unpack

BAD = [{"a": [0], "b": {}}] * 3
NUMBERS = [0, 1.5, True, None]
KEYS = ("log", "message", "Records", "records", "body", "x", "digestStartTime", "messageType", "time", "verb")


def counted(items: list[object], kind: str, named: int) -> tuple[int, int, int]:
    """Return events, items that cannot be read, and probes of the transport, with at most `named` named."""
    found = unpack(json.dumps(items).encode(), profile(kind), "raw", 0, 7, max_rejects=named)
    more = [int(r.detail.split()[0]) - 1 for r in found.rejects if r.reason.value == "too_many_rejects"]
    return len(found.events), len(found.rejects) + sum(more), found.control


@pytest.mark.parametrize("kind", KINDS)
def test_few_numbers_count_the_same_with_a_look_and_without(kind):
    pairs = itertools.product(itertools.combinations(KEYS, 2), NUMBERS[:3], NUMBERS)
    for keys, first, second in pairs:
        items = [*BAD, dict(zip(keys, (first, second), strict=True))]
        assert counted(items, kind, 1) == counted(items, kind, 100), items[-1]
