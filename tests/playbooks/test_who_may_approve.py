"""The rules of approval, one by one."""

from __future__ import annotations

import pytest

from playbooks.approval import Asked, Vote, needed, refusal, tally
from playbooks.policy import ApproverRef

ALICE, BOB = ApproverRef("alice"), ApproverRef("bob", aliases=("robert",))
CAROL = ApproverRef("carol", ("internal",))
PEOPLE = (ALICE, BOB, CAROL)


def asked(**changes):
    values = {
        "verb": "rotate.credential",
        "classification": "restricted",
        "owner": "crm",
        "requester": "davylamp",
        "digest": "d" * 64,
        "subjects": frozenset({"database:database/x", "mallory"}),
        "expires_at": 100.0,
    }
    return Asked(**(values | changes))


def vote(who="alice", **changes):
    return Vote(**({"approver": who, "decision": "approve", "digest": "d" * 64, "at": 50.0} | changes))


@pytest.mark.parametrize(
    ("classification", "proposing", "expected"),
    [
        ("public", False, 0),
        ("internal", False, 0),
        ("internal", True, 1),
        ("confidential", False, 1),
        ("confidential", True, 1),
        ("restricted", False, 2),
        ("unknown", True, 2),
    ],
)
def test_how_many_are_needed(classification, proposing, expected):
    assert needed(classification, "rotate.credential", proposing=proposing) == expected


def test_verbs_for_two_people_need_two_whatever_the_class():
    assert needed("public", "rotate.vault_root", proposing=False) == 2


@pytest.mark.parametrize(
    ("request_", "given", "person", "reason"),
    [
        (asked(), vote(), ALICE, None),
        (asked(), vote("eve"), None, "not_an_approver"),
        (asked(state="queued"), vote(), ALICE, "not_open"),
        (asked(), vote(at=100.0), ALICE, "expired"),
        (asked(), vote(digest="e" * 64), ALICE, "digest_changed"),
        (asked(requester="Alice"), vote(), ALICE, "requester"),
        (asked(requester="robert"), vote("bob"), BOB, "requester"),
        (asked(subjects=frozenset({"bob"})), vote("bob"), BOB, "subject"),
        (asked(subjects=frozenset({"arn:aws:iam::1:user/Robert"})), vote("bob"), BOB, "subject"),
        (asked(subjects=frozenset({"iam:alice"})), vote(), ALICE, "subject"),
        (asked(owner="alice"), vote(), ALICE, "sole_owner"),
        (asked(), vote("carol"), CAROL, "class_not_allowed"),
        (asked(), vote("carol", decision="reject"), CAROL, None),
    ],
)
def test_each_reason_to_refuse(request_, given, person, reason):
    assert refusal(request_, given, person) == reason


def test_one_person_counts_once_under_any_name():
    twin = ApproverRef("robert-admin", aliases=("bob",))
    votes = [vote("bob"), vote("robert-admin", at=51.0)]
    assert len(tally(asked(), votes, (BOB, twin)).approved) == 1


def test_the_last_word_stands():
    votes = [vote(at=1.0), vote(decision="reject", at=2.0)]
    counted = tally(asked(), votes, PEOPLE)
    assert (counted.approved, counted.rejected) == ((), ("alice",))


def test_refused_votes_are_listed_and_not_counted():
    counted = tally(asked(), [vote(), vote("eve"), vote("bob", digest="0" * 64)], PEOPLE)
    assert counted.approved == ("alice",)
    assert {(v.approver, reason) for v, reason in counted.refused} == {
        ("eve", "not_an_approver"),
        ("bob", "digest_changed"),
    }
