"""Category and type of real CloudTrail calls, and that whatever is called gets values of ECS."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.ecs.cloudtrail_actions import CATEGORIES, classify

DATA = Path(__file__).parent / "data"
ALLOWED = json.loads((DATA / "ecs_fields.json").read_text())["allowed"]
ROWS = [
    [part.strip() for part in line.split("|")]
    for line in (DATA / "cloudtrail_actions.txt").read_text().splitlines()
    if not line.startswith("#")
]
CHECKED = [
    [part.strip() for part in line.split("|")]
    for line in (DATA / "cloudtrail_checked.txt").read_text().splitlines()
    if not line.startswith("#")
]
SUBJECTS = {"user", "group", "admin"}


def wrong(category, kind):
    """Return what ECS does not allow or does not expect."""
    expected = set().union(*(CATEGORIES[name] for name in category))
    expected |= SUBJECTS if "iam" in category else set()
    unknown = set(category) - set(ALLOWED["event.category"]) | set(kind) - set(ALLOWED["event.type"])
    return unknown | set(kind) - expected | {name for name in category if not CATEGORIES[name] & set(kind)}


def test_the_list_is_long():
    assert len({(row[0], name) for row in ROWS for name in row[3].split()}) >= 400


@pytest.mark.parametrize(
    ("service", "category", "kind", "names"), ROWS, ids=[f"{r[0]}-{r[1]}-{r[2]}" for r in ROWS]
)
def test_calls_of_the_list(service, category, kind, names):
    for name in names.split():
        found = classify(f"{service}.amazonaws.com", name)
        assert found == (category.split(","), kind.split(",")), name
        assert not wrong(*found)


@pytest.mark.parametrize(("call", "category", "kind"), CHECKED, ids=[row[0] for row in CHECKED])
def test_calls_judged_by_hand(call, category, kind):
    service, _, name = call.partition(":")
    found = classify(f"{service}.amazonaws.com", name)
    assert found == (category.split(","), kind.split(","))
    assert not wrong(*found)


def test_enough_calls_are_judged_by_hand():
    assert len({row[0] for row in CHECKED}) == len(CHECKED) >= 120


@given(
    st.sampled_from([row[0] for row in ROWS]) | st.text(),
    st.sampled_from(["Get", "Start", "Xyz", ""]),
    st.text(),
)
def test_whatever_is_called_is_ecs(service, verb, rest):
    assert not wrong(*classify(f"{service}.amazonaws.com", verb + rest))


def test_a_huge_name_is_not_kept():
    assert classify("iam.amazonaws.com", "Create" + "A" * 1_000_000) == (["configuration"], ["info"])
