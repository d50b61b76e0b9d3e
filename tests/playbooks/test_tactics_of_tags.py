"""ATT&CK tags as tactics: by the pinned list; tactics that tags name are taken at their word."""

from __future__ import annotations

import csv
from pathlib import Path

from playbooks.risk_tactics import every_tactic, tactics_of, techniques

PINNED = Path(__file__).parents[1] / "detectors" / "rules" / "attack_enterprise_v19.csv"


def test_the_shipped_list_is_the_pinned_one():
    with PINNED.open(encoding="utf-8", newline="") as file:
        assert techniques() == {row["id"]: frozenset(row["tactics"].split()) for row in csv.DictReader(file)}
    assert len(every_tactic()) == 15


def test_tactics_that_are_named_are_taken_at_their_word():
    assert tactics_of(("attack.t1078.004", "attack.initial-access")) == {"initial-access"}
    assert tactics_of(("attack.privilege_escalation",)) == {"privilege-escalation"}


def test_techniques_stand_for_all_of_their_tactics():
    assert tactics_of(("T1552.007",)) == {"credential-access"}
    assert tactics_of(("attack.t1552.999",)) == {"credential-access"}
    assert len(tactics_of(("T1078",))) > 1


def test_what_is_unknown_means_nothing():
    assert tactics_of(()) == tactics_of(("attack.t9999", "car.2016", "T1", "", "attack.")) == frozenset()


def test_the_tactic_that_v19_split_may_mean_either():
    assert tactics_of(("attack.defense-evasion",)) == {"defense-impairment", "stealth"}
