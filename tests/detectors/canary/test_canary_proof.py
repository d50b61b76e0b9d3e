"""The proof of a canary: what it covers, what it refuses, and that nothing in a header makes it raise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.canary.finding import APPENDED, LOST_RULE, RULES, came, lost
from detectors.canary.proof import REFUSALS, Slot, judge, prove
from detectors.canary.schedule import due_at, partition_of
from detectors.canary.sight import Sight, sight_of
from detectors.finding import Finding

KEY = b"k" * 32
SLOT = Slot("vault_audit", "vault.audit", 3, 1_795_000_200)
VALUE = b'{"time":"2026-11-18T08:50:00.000Z"}'
PROOF = prove(KEY, SLOT, VALUE)


def verdict(
    value: bytes = VALUE,
    headers: tuple[bytes, ...] = (PROOF,),
    place: tuple[str, str, int] = SLOT[:3],
    keys: tuple[bytes, ...] = (KEY,),
    appended: float = SLOT.due + 1.0,
    newest: int = 0,
) -> tuple[str | None, bool]:
    told = judge(keys, headers, place, value, appended=appended, newest=newest, grace_s=60.0)
    return told.refusal, told.authentic


def test_the_canary_of_its_place_and_slot_is_accepted():
    assert verdict() == (None, True)
    assert verdict(keys=(b"n" * 32, KEY)) == (None, True), "the key before the one in force"


@pytest.mark.parametrize(
    "place",
    [
        ("cloudtrail", "vault.audit", 3),
        ("vault_audit", "vault.audit.2", 3),
        ("vault_audit", "vault.audit", 4),
        ("vault_auditvault", ".audit", 3),
    ],
)
def test_a_proof_is_of_one_place_only(place):
    assert verdict(place=place) == ("wrong", False)


def test_a_proof_is_of_one_slot_and_one_key_only():
    other = PROOF.replace(str(SLOT.due).encode(), str(SLOT.due + 300).encode())
    assert verdict(headers=(other,), appended=SLOT.due + 301) == ("wrong", False)
    assert verdict(keys=(b"n" * 32,)) == ("wrong", False)
    assert verdict(keys=()) == ("wrong", False)


@given(at=st.integers(0, len(VALUE) - 1), byte=st.integers(1, 255), tail=st.binary(max_size=3))
def test_an_event_that_is_not_the_canary_to_the_last_byte_hides_behind_no_header(at, byte, tail):
    changed = bytearray(VALUE)
    changed[at] ^= byte
    assert verdict(value=bytes(changed) + tail) == ("wrong", False)


@given(headers=st.lists(st.binary(max_size=90), max_size=3).map(tuple))
def test_no_header_makes_it_raise_or_accepts(headers):
    refusal, authentic = verdict(headers=headers)
    assert refusal in {"malformed", "wrong"} and not authentic


@pytest.mark.parametrize(
    ("appended", "refusal"),
    [(-0.001, "not_due"), (0.0, None), (60.0, None), (60.001, "not_due")],
)
def test_a_canary_counts_from_its_slot_until_the_grace_is_over(appended, refusal):
    assert verdict(appended=SLOT.due + appended) == (refusal, True)


@pytest.mark.parametrize(("newest", "refusal"), [(-300, None), (0, "used"), (300, "used")])
def test_a_slot_is_accepted_once_and_none_before_it(newest, refusal):
    assert verdict(newest=SLOT.due + newest) == (refusal, True)


def test_two_headers_are_none():
    assert verdict(headers=(PROOF, PROOF)) == ("malformed", False)
    assert set(REFUSALS) == {"malformed", "wrong", "not_due", "used"}


@given(start=st.integers(0, 10**10), period=st.integers(1, 86_400), partitions=st.integers(1, 64))
def test_every_partition_has_its_turn_and_all_workers_agree(start, period, partitions):
    first = due_at(start, period)
    assert first <= start < first + period and first % period == 0
    turns = [partition_of(first + n * period, period, partitions) for n in range(partitions)]
    assert sorted(turns) == list(range(partitions))


def test_a_lost_canary_is_one_finding_however_often_it_is_told():
    one, again = lost(SLOT, "was read"), lost(SLOT._replace(partition=1), "in other words")
    other = lost(SLOT._replace(due=SLOT.due + 300), "was read")
    assert one.finding_id == again.finding_id != other.finding_id
    assert (one.rule_id, one.level, one.source, one.event_time) == (
        LOST_RULE,
        "high",
        "vault_audit",
        SLOT.due,
    )
    assert Finding.from_json(one.to_json()) == one


def test_only_the_finding_of_the_own_rule_is_said_and_tells_what_to_measure():
    own, foreign = (_finding(rule) for rule in (RULES["vault_audit"], "a-customers-rule"))
    (said,) = came(SLOT, SLOT.due + 0.25, [foreign, own])
    assert said.rule_id == own.rule_id and said.finding_id == own.finding_id
    assert sight_of(said.to_json()) == Sight("vault_audit", SLOT.due, SLOT.due + 0.25)
    assert sight_of(own.to_json()) is None


@pytest.mark.parametrize(
    "labels", [None, [], {"canary": 1}, {"canary": "x", "canary_due": [], APPENDED: "1"}, {APPENDED: "1"}]
)
def test_labels_that_tell_of_no_canary_are_none(labels):
    assert sight_of({"labels": labels}) is None


def _finding(rule_id: str) -> Finding:
    return Finding(
        rule_id=rule_id,
        title="T",
        level="informational",
        base_level="informational",
        status="final",
        source="vault_audit",
        event_id="e",
        event_ids=("e",),
        event_time=float(SLOT.due),
        first_time=float(SLOT.due),
        last_time=float(SLOT.due),
        count=1,
        entities=(),
        attack=(),
        explain="x",
        finding_id=f"f-{rule_id}",
    )
