"""Which findings an exception holds back, and which it never may."""

from __future__ import annotations

import pytest

from detectors.event import Entity
from detectors.exception.breadth import broad, powerless
from detectors.exception.entry import Exemption, Matcher
from detectors.exception.exemptions import Exemptions
from detectors.finding import Finding

RULE = "1d0e52c8-4f2c-4c25-8a5d-6a4a0f5f7c11"
BACKUP = Entity("service_account", "backup:velero", "actor")
OTHER = Entity("service_account", "web:front", "actor")
PERSON = Entity("k8s_user", "mallory", "actor")


def finding(*entities: Entity, rule: str = RULE, level: str = "medium", at: float = 100.0, **more) -> Finding:
    known = {
        "rule_id": rule, "title": "t", "level": level, "base_level": level, "status": "final",
        "source": "kubernetes_audit", "event_id": "e", "event_ids": ("e",), "event_time": at,
        "first_time": at, "last_time": at, "count": 1, "entities": entities, "attack": (), "explain": "x",
        "finding_id": "f",
    }  # fmt: skip
    return Finding(**{**known, **more})


def entry(*matchers: Matcher, rules: frozenset[str] | None = frozenset({RULE}), start=0.0, end=1000.0):
    return Exemption("known", rules, matchers, "team", "why", "T-1", start, end)


def holds(one: Exemption, said: Finding) -> bool:
    return Exemptions([one]).of(said) is one


VELERO = Matcher("service_account", ("backup:velero",))


def test_it_is_for_its_rules_and_its_entities():
    assert holds(entry(VELERO), finding(BACKUP))
    assert not holds(entry(VELERO), finding(OTHER))
    assert not holds(entry(VELERO), finding(PERSON))
    assert not holds(entry(VELERO), finding(BACKUP, rule="another"))
    assert holds(entry(VELERO, rules=None), finding(BACKUP, rule="another"))


def test_every_entity_of_the_type_must_be_named():
    assert not holds(entry(VELERO), finding(BACKUP, OTHER))
    target = Entity("service_account", "web:front", "target")
    assert not holds(entry(VELERO), finding(BACKUP, target))
    assert holds(entry(Matcher("service_account", ("backup:velero",), "actor")), finding(BACKUP, target))
    assert not holds(entry(Matcher("service_account", ("backup:velero",), "target")), finding(BACKUP))


def test_the_times_of_the_events_decide_what_has_expired():
    one = entry(VELERO, start=50.0, end=100.0)
    assert not holds(one, finding(BACKUP, at=49.0))
    assert holds(one, finding(BACKUP, at=50.0)) and holds(one, finding(BACKUP, at=99.9))
    assert not holds(one, finding(BACKUP, at=100.0))
    assert not holds(one, finding(BACKUP, at=90.0, first_time=40.0))
    assert not holds(one, finding(BACKUP, at=90.0, last_time=101.0))


@pytest.mark.parametrize(
    ("matchers", "rules", "held"),
    [
        ([VELERO], frozenset({RULE}), True),
        ([VELERO], None, False),
        ([Matcher("service_account", ("backup:*",))], frozenset({RULE}), False),
        ([VELERO, Matcher("address", ("10.0.0.0/24",))], frozenset({RULE}), False),
        ([VELERO, Matcher("address", ("10.0.0.1",))], frozenset({RULE}), True),
    ],
)
def test_a_critical_finding_is_held_by_no_pattern(matchers, rules, held):
    address = Entity("address", "10.0.0.1", "source")
    one = entry(*matchers, rules=rules)
    assert holds(one, finding(BACKUP, address, level="critical")) is held
    assert holds(one, finding(BACKUP, address, level="high", base_level="critical")) is held
    assert holds(one, finding(BACKUP, address, level="high"))


def test_patterns_networks_and_letters():
    wild = entry(Matcher("service_account", ("backup:v?l*o",)))
    assert holds(wild, finding(BACKUP))
    assert not holds(wild, finding(Entity("service_account", "backup:velero2", "actor")))
    assert not holds(entry(Matcher("service_account", ("Backup:velero",))), finding(BACKUP))
    near = entry(Matcher("address", ("10.0.0.0/8", "2001:db8::/32")))
    assert holds(near, finding(Entity("address", "10.9.8.7", "source")))
    assert holds(near, finding(Entity("address", "2001:db8::1", "source")))
    assert not holds(near, finding(Entity("address", "11.0.0.1", "source")))
    assert not holds(near, finding(Entity("address", "10.9.8.7.example", "source")))


def test_somebody_else_is_not_hidden_in_a_correlation():
    several = {"count": 5, "event_ids": ("a", "b", "c", "d", "e")}
    assert holds(entry(VELERO), finding(BACKUP, **several))
    assert not holds(entry(VELERO), finding(BACKUP, PERSON, **several))
    assert not holds(entry(VELERO), finding(BACKUP, labels={"overflow": "true"}))
    crowd = [Entity("pod", f"p{n}", "actor") for n in range(31)]
    assert not holds(entry(VELERO), finding(BACKUP, *crowd, **several))


def test_what_davylamp_says_itself_needs_its_own_name():
    said = finding(BACKUP, rule="davylamp-first-seen-edge")
    assert not holds(entry(VELERO, rules=None), said)
    assert holds(entry(VELERO, rules=frozenset({"davylamp-first-seen-edge"})), said)


def test_what_is_broad_and_what_has_no_power_is_told():
    assert broad(entry(VELERO)) == []
    assert broad(entry(VELERO, rules=None)) == ["it is for all rules"]
    assert "fixes only 2 characters" in broad(entry(Matcher("k8s_user", ("ci*",))))[0]
    assert "256 addresses" not in str(broad(entry(Matcher("address", ("10.0.0.0/24",)))))
    assert "65536 addresses" in broad(entry(Matcher("address", ("10.0.0.0/16",))))[0]
    assert "everybody there" in broad(entry(Matcher("namespace", ("payments",))))[0]
    wild = entry(Matcher("service_account", ("backup:*",)))
    assert powerless(wild, {RULE: "critical"}) == [RULE]
    assert powerless(wild, {RULE: "high"}) == [] and powerless(entry(VELERO), {RULE: "critical"}) == []
