"""When the figures of shadow mode speak for auto."""

from __future__ import annotations

import pytest

from playbooks.shadow import Judged, agreement

NOW = 1_780_000_000.0
DAY = 86_400.0


def judged(days: float, approved: int, rejected: int) -> list[Judged]:
    words = ["approved"] * approved + ["rejected"] * rejected
    return [Judged("p", NOW - days * DAY, True, said) for said in words]


@pytest.mark.parametrize(
    ("days", "approved", "rejected", "ready"),
    [(14, 19, 1, True), (14, 18, 2, False), (13.9, 20, 0, False), (30, 0, 0, False)],
)
def test_two_weeks_and_ninety_five_percent(days, approved, rejected, ready):
    found = judged(days, approved, rejected) or [Judged("p", NOW - days * DAY, True, "")]
    (line,) = agreement(found, NOW)
    assert line.ready is ready
    assert line.to_json()["undecided"] == (0 if approved + rejected else 1)


def test_each_playbook_has_a_line():
    found = [Judged("b", NOW, True, "approved"), Judged("a", NOW, False, "")]
    assert [line.playbook for line in agreement(found, NOW)] == ["a", "b"]
