"""Who is cut off is who enough people named, having read that list; whoever else is waited for."""

from __future__ import annotations

from dataclasses import replace

from playbooks.approval import Asked
from playbooks.forcing import ForceVote, agreed, force_digest
from playbooks.policy import ApproverRef

ASKED = Asked(
    verb="rotate.credential",
    classification="restricted",
    owner="shop",
    requester="davylamp",
    digest="d" * 64,
    subjects=frozenset({"mallory"}),
    expires_at=1.0,
    state="executing",
)
PEOPLE = (ApproverRef("alice"), ApproverRef("bob", aliases=("b.smith",)), ApproverRef("b.smith"))


def vote(who: str, *names: str, at: float = 10.0, plan: str = ASKED.digest) -> ForceVote:
    return ForceVote(who, force_digest(plan, names), frozenset(names), at)


def test_it_takes_as_many_people_as_the_action_and_only_names_in_all_their_words_count() -> None:
    votes = [vote("alice", "batch", "report"), vote("bob", "batch")]
    assert agreed(ASKED, votes[:1], PEOPLE, 2) == frozenset()
    assert agreed(ASKED, votes, PEOPLE, 2) == {"batch"}
    assert agreed(ASKED, votes, PEOPLE, 1) == {"batch", "report"}


def test_one_person_counts_once_whatever_they_are_called() -> None:
    assert agreed(ASKED, [vote("bob", "batch"), vote("b.smith", "batch")], PEOPLE, 2) == frozenset()


def test_the_last_word_counts() -> None:
    votes = [vote("alice", "batch", at=1), vote("alice", "report", at=2)]
    assert agreed(ASKED, votes, PEOPLE, 1) == {"report"}


def test_words_of_strangers_subjects_requesters_and_about_other_lists_do_not_count() -> None:
    assert agreed(ASKED, [vote("eve", "batch")], PEOPLE, 1) == frozenset()
    assert agreed(ASKED, [vote("alice", "batch", plan="e" * 64)], PEOPLE, 1) == frozenset()
    other = replace(vote("alice", "batch"), names=frozenset({"batch", "api"}))
    assert agreed(ASKED, [other], PEOPLE, 1) == frozenset(), "not the list that was read"
    for unfit in (
        replace(ASKED, requester="alice"),
        replace(ASKED, subjects=frozenset({"user/alice"})),
        replace(ASKED, owner="alice"),
    ):
        assert agreed(unfit, [vote("alice", "batch")], PEOPLE, 1) == frozenset()
    low = (ApproverRef("alice", classes=("public",)),)
    assert agreed(ASKED, [vote("alice", "batch")], low, 1) == frozenset()
