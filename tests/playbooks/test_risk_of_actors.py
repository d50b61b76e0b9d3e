"""Risk: a rule counts once, time makes it fade, and few tactics that explain all make no campaign."""

from __future__ import annotations

import itertools
import random

import pytest

from playbooks.risk import Contribution, RiskLimits, campaign, campaign_level, score, tactics_met
from playbooks.risk_actor import actor, is_shared, names_of, root
from playbooks.risk_tactics import tactics_of

HOUR = 3600.0
LIMITS = RiskLimits()


def found(rule, *tactics, at=0.0, level="medium"):
    return Contribution(f"f-{rule}-{at}", rule, level, at, frozenset(tactics))


STORY = [
    found("login", "initial-access", at=0.0),
    found("list", "discovery", at=2 * HOUR, level="low"),
    found("dump", "collection", at=4 * HOUR, level="high"),
]


def test_three_tactics_within_a_day_are_a_campaign_in_any_order():
    for order in itertools.permutations(STORY):
        assert list(campaign(order, LIMITS)) == STORY


def test_two_tactics_are_none_however_many_findings_there_are():
    many = [found(f"r{n}", "discovery" if n % 2 else "execution", at=n, level="critical") for n in range(50)]
    assert campaign(many, LIMITS) == ()


@pytest.mark.parametrize(("last", "opens"), [(24 * HOUR, True), (24 * HOUR + 1, False)])
def test_the_window_is_a_day(last, opens):
    loud = [found("a", "execution", level="critical"), found("b", "impact", at=HOUR, level="critical")]
    assert bool(campaign([*loud, found("c", "exfiltration", at=last)], LIMITS)) is opens


def test_low_findings_alone_do_not_reach_the_opening_score():
    quiet = [found(f"r{n}", tactic, at=n, level="low") for n, tactic in enumerate(("a", "b", "c"))]
    assert campaign(quiet, LIMITS) == ()
    assert campaign([*quiet, found("r4", "a", level="medium"), found("r5", "b", level="low")], LIMITS)


def test_a_flood_of_one_rule_weighs_what_one_of_its_findings_weighs():
    one = found("noisy", "discovery", level="low")
    flood = [found("noisy", "discovery", at=0.001 * n, level="low") for n in range(1000)]
    assert score(flood, 1.0, HOUR) == pytest.approx(score([one], 0.0, HOUR), rel=1e-3)


def test_risk_halves_in_a_half_life():
    one = found("r", "execution", level="high")
    assert score([one], 0.0, HOUR) == 40.0
    assert score([one], HOUR, HOUR) == pytest.approx(20.0)


def test_techniques_of_many_tactics_are_taken_for_the_fewest():
    accounts = [
        found(rule, *tactics_of((tag,))) for rule, tag in (("a", "T1078"), ("b", "T1098"), ("c", "T1136"))
    ]
    assert tactics_met(accounts) == ("persistence",)
    assert tactics_met([*accounts, found("d", "impact")]) == ("impact", "persistence")


def test_a_campaign_goes_on_while_findings_lie_within_a_window_of_each_other():
    later = found("again", "execution", at=26 * HOUR)
    far = found("far", "execution", at=60 * HOUR)
    assert list(campaign([far, later, *STORY], LIMITS)) == [*STORY, later]


def test_a_campaign_is_high_and_critical_with_a_critical_part():
    assert campaign_level(STORY) == "high"
    assert campaign_level([*STORY, found("x", level="critical")]) == "critical"


def test_any_order_gives_the_same_campaign():
    generator = random.Random(7)
    tactics = ("execution", "impact", "discovery", "collection")
    for _ in range(100):
        these = [
            found(f"r{n}", generator.choice(tactics), at=generator.uniform(0, 100) * HOUR) for n in range(12)
        ]
        shuffled = generator.sample(these, len(these))
        assert list(campaign(these, LIMITS)) == list(campaign(shuffled, LIMITS))


SESSION = ("iam_principal", "arn:aws:sts::1:assumed-role/admin/alice")
ALICE, BOB = ("iam_principal", "arn:aws:iam::1:user/alice"), ("iam_principal", "arn:aws:iam::1:user/bob")
KEY, POD, ACCOUNT = ("access_key", "ASIAX"), ("pod", "shop/web-1"), ("service_account", "shop/web")
ADDRESS, USER = ("address", "10.0.0.7"), ("k8s_user", "alice")


def table(*pairs):
    return lambda node: [b for a, b in pairs if a == node]


def test_the_chain_from_address_to_service_account_and_from_user_to_person():
    owners = table((ADDRESS, POD), (POD, ACCOUNT), (USER, SESSION), (SESSION, ALICE))
    assert root(ADDRESS, owners) == ACCOUNT
    assert root(USER, owners) == ALICE


def test_a_name_that_two_act_through_is_nobody_s():
    owners = table((SESSION, ALICE), (SESSION, BOB), (KEY, BOB))
    assert root(SESSION, owners) == SESSION
    assert actor([KEY, SESSION], owners) == BOB


def test_a_ring_gives_one_name_from_wherever_it_is_entered():
    ring = [("iam_principal", f"arn:aws:sts::1:assumed-role/r{n}/s") for n in range(3)]
    owners = table((ring[0], ring[1]), (ring[1], ring[2]), (ring[2], ring[0]))
    assert {root(node, owners) for node in ring} == {ring[0]}


def test_shared_names_are_never_walked_over():
    default = ("service_account", "shop/default")
    other = ("pod", "shop/web-2")
    owners = table((POD, default), (other, default))
    assert root(POD, owners) == POD != root(other, owners)
    for node in (("iam_principal", "arn:aws:iam::1:role/admin"), ("k8s_user", "system:anonymous"), default):
        assert is_shared(node)
    assert not is_shared(("iam_principal", "arn:aws:iam::1:user/role/x:role/alice"))


def test_a_role_or_an_address_alone_tells_of_nobody():
    entities = [("iam_principal", "arn:aws:iam::1:role/admin", "actor"), ("address", "203.0.113.9", "source")]
    assert actor(names_of(entities), table()) is None


def test_targets_and_davylamp_itself_carry_no_risk():
    assert not names_of([(*POD, "target")])
    assert not names_of([(*ALICE, "actor")], frozenset({ALICE}))
