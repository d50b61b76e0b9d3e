"""What an item's answer means, how long to wait, how requests are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.ecs.stream import Document
from connectors.siem.bulk import backoff_s, by_size, outcome_of, refusal

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["create", "status", "error", "type", "reason"]), inner, max_size=3)
    ),
    max_leaves=10,
)


def item(status, kind="", reason="", **more):
    return {"create": {"status": status, "error": {"type": kind, "reason": reason}, **more}}


def test_a_failure_store_is_a_rejection():
    outcome = outcome_of({"create": {"status": 201, "failure_store": "used"}})
    assert outcome.ending == "rejected" and "failure store" in outcome.reason


@pytest.mark.parametrize(
    "found", [None, {}, {"create": {}}, {"create": {"status": "x"}}, {"index": {"status": 201}}]
)
def test_an_answer_that_says_nothing_is_tried_again(found):
    assert outcome_of(found).ending == "retry"


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("failed to parse field [a.b] of type [long] ... 'secret'", "field a.b is no long"),
        ("failed to parse: data stream timestamp field [@timestamp] is missing", "@timestamp is missing"),
        ('at least one immense term in field="x.y" (whose prefix is secret', "field x.y is too long"),
        ("secret", ""),
        ("failed to parse field [a secret] of type [ip]", ""),
    ],
)
def test_a_reason_names_the_field_and_never_the_value(reason, said):
    outcome = outcome_of(item(400, "document_parsing_exception", reason))
    assert outcome.ending == "rejected" and "secret" not in outcome.reason
    assert outcome.reason == f"400 document_parsing_exception{': ' + said if said else ''}"


def test_a_type_that_looks_like_none_is_not_repeated():
    assert outcome_of(item(400, "<script>alert(1)</script>")).reason == "400"


@given(JSON)
def test_no_answer_is_too_strange(found):
    assert outcome_of(found).ending in {"delivered", "already_there", "rejected", "retry"}
    refusal([found])


def test_busy_and_there_already_are_no_refusals():
    assert refusal([item(201), item(409, "x"), item(429, "cluster_block_exception"), item(400, "x")]) is None
    assert refusal([item(201), item(403, "security_exception")]) == (
        1,
        "this credential may not write there (403 security_exception)",
    )


def test_waiting_grows_to_a_limit():
    assert [backoff_s(n, 0.0) for n in (1, 2, 3, 20)] == [0.25, 0.5, 1.0, 15.0]
    assert backoff_s(20, 1.0) == 30.0


def test_parts_hold_every_index_once_in_order():
    batch = [Document.of("events", f"e{n}", {"message": "x" * 900}, "default", 0.0) for n in range(40)]
    parts = list(by_size(batch, range(40), 5_000))
    assert [index for part in parts for index in part] == list(range(40)) and len(parts) > 5
    assert list(by_size(batch[:1], [0], 10)) == [[0]]
