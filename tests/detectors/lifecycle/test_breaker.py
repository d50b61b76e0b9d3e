"""The volume breaker: what is held, what never is, and that the same records give the same answer."""

from __future__ import annotations

import random
from collections.abc import Iterable

from detectors.event import Entity
from detectors.finding import Finding
from detectors.lifecycle.breaker import ACTORS, FLOOD_RULE, SLOTS, Breaker
from detectors.lifecycle.held import HELD

HOUR = 3600.0
START = 490_000 * HOUR


def finding(
    rule: str = "r", who: str = "ci", at: float = START, level: str = "high", base: str = ""
) -> Finding:
    return Finding(
        rule_id=rule, title=f"Rule {rule}", level=level, base_level=base or level, status="final",
        source="kubernetes_audit", event_id=f"{rule}/{who}/{at}", event_ids=("e",), event_time=at,
        first_time=at, last_time=at, count=1, entities=(Entity("k8s_user", who, "actor"),), attack=(),
        explain="x", finding_id="f",
    )  # fmt: skip


def run(findings: Iterable[Finding], limit: int = 10, every: int = 0) -> tuple[list[str], list[Finding]]:
    """Judge all; after each `every` findings go on from what the checkpoint holds."""
    known: dict[str, int] = {}
    breaker = Breaker(limit, "k8s.audit", 3, known)
    out: list[str] = []
    floods: list[Finding] = []
    for number, one in enumerate(findings):
        if every and number % every == 0:
            known = add(known, breaker.changes())
            breaker = Breaker(limit, "k8s.audit", 3, known)
        passed = breaker.take(one, one.event_time)
        out.append(passed.finding.labels.get(HELD, "sent"))
        floods += [passed.flood] if passed.flood else []
    assert len(add(known, breaker.changes())) <= 4 * SLOTS
    return out, floods


def add(known: dict[str, int], changes: dict[str, int]) -> dict[str, int]:
    total = {name: known.get(name, 0) + changes.get(name, 0) for name in known.keys() | changes.keys()}
    assert all(0 <= value < 2**53 for value in total.values())
    return total


def test_a_rule_over_the_limit_is_in_shadow_and_that_is_said_once():
    out, floods = run(finding(at=START + n) for n in range(30))
    assert out == ["sent"] * 10 + ["flood"] * 20
    assert [flood.rule_id for flood in floods] == [FLOOD_RULE]
    said = floods[0]
    assert said.labels == {"rule": "r", "topic": "k8s.audit", "partition": "3"}
    assert "more than 10 findings" in said.explain and "one actor" in said.explain


def test_rules_at_the_limit_and_other_rules_are_left_alone():
    out, floods = run([finding(at=START + n) for n in range(10)] + [finding("s")] * 5)
    assert set(out) == {"sent"} and not floods


def test_shadow_ends_after_a_quiet_day_and_is_prolonged_by_a_loud_hour():
    loud = [finding(at=START + n) for n in range(12)]
    later = [finding(at=START + hours * HOUR) for hours in (23, 24.5, 25.5)]
    assert run([*loud, *later])[0][12:] == ["flood", "flood", "sent"]
    again = [finding(at=START + 20 * HOUR + n) for n in range(12)]
    out, floods = run([*loud, *again, finding(at=START + 40 * HOUR), finding(at=START + 45.5 * HOUR)])
    assert out[-2:] == ["flood", "sent"] and len(floods) == 1


def test_critical_and_low_findings_are_never_held():
    for kind in ({"level": "critical"}, {"level": "high", "base": "critical"}, {"level": "low"}):
        out, floods = run(finding(at=START + n, **kind) for n in range(40))
        assert set(out) == {"sent"} and not floods


def test_an_actor_that_the_flood_has_not_shown_still_goes_out_and_that_is_bounded():
    flood = [finding(at=START + n) for n in range(30)]
    out, _ = run([*flood, finding(who="mallory"), finding(who="mallory")])
    assert out[-2:] == ["sent", "flood"]
    crowd = [finding(who=f"u{n}", at=START + 60) for n in range(5000)]
    assert run([*flood, *crowd])[0][30:].count("sent") <= ACTORS


def test_an_event_from_the_future_neither_counts_nor_moves_the_hour():
    breaker = Breaker(10, "t", 0, {})
    for n in range(50):
        assert breaker.take(finding(at=START + 9 * HOUR), START + n).flood is None
    assert breaker.changes() == {}


def test_batches_crashes_and_replays_change_nothing():
    draw = random.Random(8)
    many = [
        finding(f"r{draw.randrange(14) if draw.random() < 0.5 else 1}", f"u{draw.randrange(9)}",
                START + n * 15 + draw.uniform(-900, 900))
        for n in range(3000)
    ]  # fmt: skip
    whole = run(many, limit=40)
    assert whole[1] and whole[0].count("flood") > 100
    for every in (1, 7, 500):
        other = run(many, limit=40, every=every)
        assert other[0] == whole[0]
        assert [f.finding_id for f in other[1]] == [f.finding_id for f in whole[1]]


def test_more_rules_than_slots_take_no_more_memory_and_the_loudest_is_found():
    rules = [f"quiet{n}" for n in range(200)]
    mixed = [
        one for n in range(200) for one in (finding(rules[n], at=START + n), finding("loud", at=START + n))
    ]
    out, floods = run(mixed, limit=50)
    assert [flood.labels["rule"] for flood in floods] == ["loud"]
    assert "flood" in out


def test_off_is_off():
    assert set(run((finding() for _ in range(50)), limit=0)[0]) == {"sent"}
