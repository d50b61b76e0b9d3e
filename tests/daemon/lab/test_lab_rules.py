"""The shipped rules on a company that they have never seen."""

from __future__ import annotations

from collections import defaultdict

from daemon.lab.score import keys, score
from detectors.level import rank
from detectors.sigma.ruleset import RuleSet

ONE_IN_A_THOUSAND = 1 / 1000


def caught_by_rule(lab):
    """Rule id -> the techniques of which one of its findings holds a record."""
    owners = defaultdict(set)
    for label in lab.labels["techniques"]:
        for record in label["records"]:
            owners[record["id"] or (label["source"], record["line"])].add(label["id"])
    caught = defaultdict(set)
    for finding in lab.findings:
        for key in keys(finding):
            caught[finding["rule_id"]] |= owners.get(key, set())
    return caught


def test_every_critical_rule_has_a_technique_in_the_lab_and_finds_it(lab, shipped: RuleSet):
    caught = caught_by_rule(lab)
    every = [item.identity for item in (*shipped.rules, *shipped.correlations)]
    critical = [one for one in every if one.level == "critical"]
    blind = [one.path for one in critical if not caught.get(one.id)]
    assert critical and not blind, f"no technique of daemon/lab/techniques makes these fire: {blind}"


def test_at_least_nine_techniques_in_ten_are_found(lab):
    result = score(lab.findings, lab.labels)
    assert len(result.missed) <= len(result.techniques) // 10, [one.id for one in result.missed]


def test_look_alikes_stay_below_medium(lab):
    assert [(one.id, one.rules) for one in score(lab.findings, lab.labels).hit] == []


def test_the_background_is_quiet(lab):
    result = score(lab.findings, lab.labels)
    loud = sum(count for level, count in result.false.items() if rank(level) >= rank("medium"))
    assert result.ordinary > 1000
    assert loud <= result.ordinary * ONE_IN_A_THOUSAND, result.false_rules
