"""All have moved when each was seen with the new credential and nobody with the old one for a window."""

from __future__ import annotations

import json

import pytest

from config.consumers import MAX_CONSUMERS, ConsumerEntry
from playbooks.consumers import Sighting, named, shown
from playbooks.convergence import Convergence, few

SINCE = 1000.0


def session(name: str, side: str = "old", place: str = "10.0.0.1", at: float = SINCE) -> Sighting:
    made = Sighting(how="session", side="old", at=at, name=name, place=place, application=name, address=place)
    return made if side == "old" else Sighting(**{**fields(made), "side": "new"})


def fields(seen: Sighting) -> dict[str, object]:
    return {name: getattr(seen, name) for name in Sighting.__dataclass_fields__}


def read(entity: str, side: str, at: float, account: str = "") -> Sighting:
    return Sighting(how="read", side=side, at=at, name=entity, entity=entity, account=account)  # type: ignore[arg-type]


def look(
    known: Convergence, seen: list[Sighting], now: float, entries: tuple[ConsumerEntry, ...] = ()
) -> None:
    known.look(seen, entries, since=SINCE, now=now, window_s=10.0)


def test_who_was_on_the_old_one_must_be_seen_with_the_new_one() -> None:
    known = Convergence()
    look(known, [session("api"), session("batch")], 1000)
    assert known.on_old == ("api", "batch")
    look(known, [session("api", "new")], 1005)
    assert known.left == {"batch": "not seen with the new one"}
    look(known, [session("api", "new"), session("batch", "new")], 1010)
    assert known.left == {} and known.moved == 2


def test_the_window_begins_again_with_each_sighting_on_the_old_one() -> None:
    known = Convergence()
    look(known, [session("api", "new")], 1000)
    look(known, [session("api", "new")], 1009)
    assert known.clear_s(1009) == 9
    look(known, [session("thief")], 1012)
    assert known.clear_since is None and known.left == {"thief": "on the old one (session at 10.0.0.1)"}
    look(known, [], 1013)
    assert known.clear_s(1013) == 0


def test_the_window_begins_again_when_nobody_looked() -> None:
    known = Convergence()
    look(known, [], 1000)
    look(known, [], 1100)
    assert known.clear_s(1100) == 0


def test_a_consumer_at_three_places_has_moved_when_three_places_have() -> None:
    places = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
    known = Convergence()
    look(known, [session("api", place=place) for place in places], 1000)
    look(known, [session("api", "new", place) for place in ("10.0.0.9", "10.0.0.2")], 1010)
    assert known.left == {"api": "seen with the new one at 2 of 3 places"}
    look(known, [session("api", "new", "10.0.0.4")], 1020)
    assert known.left == {}


def test_a_reader_before_the_new_one_is_a_consumer_and_reads_the_new_one_to_have_moved() -> None:
    known = Convergence()
    look(known, [read("e-1", "old", SINCE - 500)], 1001)
    assert known.on_old == () and known.left == {"e-1": "not seen with the new one"}
    look(known, [read("e-1", "new", SINCE - 1)], 1002)
    assert known.left, "who read the idle one before it was given out has not moved"
    look(known, [read("e-1", "old", SINCE + 3), read("e-1", "new", SINCE + 4)], 1005)
    assert known.on_old == ("e-1",)
    look(known, [read("e-1", "old", SINCE + 3), read("e-1", "new", SINCE + 4)], 1030)
    assert known.left == {}


def test_the_inventory_is_waited_for_from_the_start_and_unites_what_it_recognises() -> None:
    entries = (
        ConsumerEntry(name="orders", application="orders-*", account="shop/orders"),
        ConsumerEntry(name="report", application="report", expected=False),
    )
    known = Convergence()
    look(known, [], 1000, entries)
    assert known.left == {"orders": "not seen with the new one"}
    look(known, [session("report"), read("e-1", "new", 1001, "shop/orders")], 1002, entries)
    assert known.left == {"report": "on the old one (session at 10.0.0.1)"}, "also who need not come back"


@pytest.mark.parametrize(
    ("entry", "seen", "same"),
    [
        ({"application": "api", "address": "10.0.0.0/24"}, session("api"), True),
        ({"application": "api", "address": "10.9.0.0/24"}, session("api"), False),
        ({"address": "10.0.0.0/24"}, session("api", place=""), False),
        ({"workload": "shop/api"}, session("api"), False),
        ({"workload": "shop/api"}, Sighting("mount", "old", 0, "x", workload="shop/api"), True),
        ({"entity": "e-1"}, read("e-1", "old", 0), True),
        ({"account": "shop/api"}, read("e-1", "old", 0), False),
        ({"application": "*i"}, read("e-1", "old", 0), False),
    ],
)
def test_one_is_recognised_by_all_that_is_said_of_such_a_sighting(
    entry: dict[str, str], seen: Sighting, same: bool
) -> None:
    assert (named(seen, [ConsumerEntry(name="known", **entry)]) == "known") is same  # type: ignore[arg-type]


def test_what_is_kept_comes_back_through_json() -> None:
    known = Convergence()
    look(known, [session("api"), read("e-1", "new", 1001)], 1000, (ConsumerEntry(name="x", entity="e-1"),))
    assert Convergence.from_json(json.loads(json.dumps(known.to_json()))) == known


def test_a_thief_with_a_thousand_names_is_bounded_and_never_moves_by_itself() -> None:
    known = Convergence()
    look(known, [session(f"n{number}") for number in range(2 * MAX_CONSUMERS)], 1000)
    assert len(known.consumers) == MAX_CONSUMERS and known.overfull
    look(known, [session(f"n{number}", "new") for number in range(2 * MAX_CONSUMERS)], 1020)
    assert known.left == {"more consumers than can be watched": f"over {MAX_CONSUMERS}"}
    assert len(few({f"n{number}": "x" * 100 for number in range(MAX_CONSUMERS)})) < 1000


def test_a_strangers_name_is_printable_and_short() -> None:
    assert shown("a\nb\x1b[31m\u202e" + "x" * 200) == ("a?b?[31m?" + "x" * 200)[:100]
