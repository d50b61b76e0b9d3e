"""Aliases: stated once, stated again when they change, the same id on replay."""

from __future__ import annotations

from collections.abc import Callable

from detectors.alias import RULE_ID, RecentAliases, findings
from detectors.event import Event, Fields

Make = Callable[[Fields], Event]
POD, OTHER, ADDRESS, ACCOUNT = (
    ["pod", "shop/web-1"],
    ["pod", "shop/web-2"],
    ["address", "10.1.2.3"],
    ["service_account", "shop/web"],
)


def record(time: float, *pairs: list[list[str]]) -> Fields:
    return {"id": f"e{time}", "time": time, "aliases": [list(pair) for pair in pairs]}


def test_an_alias_is_an_informational_finding_with_its_labels(make_event: Make) -> None:
    [finding] = findings(make_event(record(5.0, [POD, ADDRESS])), RecentAliases())
    assert (finding.rule_id, finding.level, finding.event_time) == (RULE_ID, "informational", 5.0)
    assert dict(finding.labels) == {
        "alias": "true",
        "a_type": "pod",
        "a_id": "shop/web-1",
        "b_type": "address",
        "b_id": "10.1.2.3",
    }
    assert finding.explain == "pod shop/web-1 is address 10.1.2.3"


def test_an_unchanged_alias_is_not_repeated(make_event: Make) -> None:
    recent = RecentAliases()
    assert findings(make_event(record(1.0, [POD, ADDRESS])), recent)
    assert not findings(make_event(record(2.0, [POD, ADDRESS])), recent)


def test_an_address_that_comes_back_is_stated_again(make_event: Make) -> None:
    recent = RecentAliases()
    for time, pod in ((1.0, POD), (2.0, OTHER), (3.0, POD)):
        assert findings(make_event(record(time, [pod, ADDRESS])), recent)


def test_pods_of_one_account_do_not_push_each_other_out(make_event: Make) -> None:
    recent = RecentAliases()
    assert len(findings(make_event(record(1.0, [POD, ACCOUNT], [OTHER, ACCOUNT])), recent)) == 2
    assert not findings(make_event(record(2.0, [POD, ACCOUNT], [OTHER, ACCOUNT])), recent)


def test_the_id_comes_from_the_alias_alone(make_event: Make) -> None:
    [first] = findings(make_event(record(1.0, [POD, ADDRESS])), RecentAliases())
    [again] = findings(make_event({**record(1.0, [POD, ADDRESS]), "id": "another"}), RecentAliases())
    [later] = findings(make_event(record(2.0, [POD, ADDRESS])), RecentAliases())
    assert first.finding_id == again.finding_id != later.finding_id


def test_memory_is_bounded_and_forgetting_only_repeats(make_event: Make) -> None:
    recent = RecentAliases(capacity=2)
    for number in range(10):
        assert findings(make_event(record(1.0, [["pod", f"p{number}"], ADDRESS])), recent)
    assert len(recent) == 2
