"""The ATT&CK ids of everything that Davylamp tells, against the pinned list of Enterprise ATT&CK v19."""

from __future__ import annotations

import csv
import importlib
import re
from pathlib import Path

import pytest

from detectors.rules import builtin
from detectors.sigma.ruleset import RuleSet

VERSION = "v19"
PINNED = Path(__file__).parent / f"attack_enterprise_{VERSION}.csv"
ROOMS = ("detectors", "connectors", "daemon")
"""Rooms whose code names techniques in the findings that it makes."""
TECHNIQUE = re.compile(r"T\d{4}(?:\.\d{3})?")


def pinned() -> dict[str, frozenset[str]]:
    """Return the tactics of each technique that is neither revoked nor deprecated."""
    with PINNED.open(encoding="utf-8", newline="") as file:
        return {row["id"]: frozenset(row["tactics"].split()) for row in csv.DictReader(file)}


TECHNIQUES = pinned()
TACTICS = frozenset[str]().union(*TECHNIQUES.values())
RULESET = RuleSet.load(builtin())
IDENTITIES = [item.identity for item in (*RULESET.rules, *RULESET.correlations)]


def unknown(tags: tuple[str, ...]) -> list[str]:
    """Return the ATT&CK tags that name neither a technique nor a tactic of the pinned list."""
    names = [tag.removeprefix("attack.") for tag in tags if tag.startswith("attack.")]
    return [name for name in names if name.upper() not in TECHNIQUES and name not in TACTICS]


def test_the_pinned_list_is_that_of_v19() -> None:
    """v19 revoked Impair Defenses (T1562.*) for the T1685 family and split Defense Evasion in two tactics."""
    assert len(TECHNIQUES) == 697
    assert not any(name.startswith("T1562") for name in TECHNIQUES)
    assert TECHNIQUES["T1685.002"] == {"defense-impairment"}
    assert "defense-evasion" not in TACTICS
    assert unknown(("attack.t1562.008", "attack.defense-evasion", "attack.t9999", "attack.t1685")) == [
        "t1562.008",
        "defense-evasion",
        "t9999",
    ]


def test_every_tag_of_a_shipped_rule_is_in_the_pinned_list() -> None:
    found = {one.path: names for one in IDENTITIES if (names := unknown(tuple(one.tags)))}
    assert found == {}, f"unknown or revoked in ATT&CK {VERSION}"


def test_every_shipped_rule_names_a_tactic() -> None:
    bare = [one.path for one in IDENTITIES if not TACTICS & {tag.removeprefix("attack.") for tag in one.tags}]
    assert bare == []


def test_techniques_of_playbook_pages_are_in_the_pinned_list() -> None:
    folder = Path(str(importlib.import_module("playbooks").__file__)).parent / "library"
    named = {
        page.name: TECHNIQUE.findall(line)
        for page in folder.glob("*.md")
        for line in page.read_text(encoding="utf-8").splitlines()
        if line.startswith("attack:")
    }
    assert len(named) >= 5
    found = {page: gone for page, names in named.items() if (gone := set(names) - TECHNIQUES.keys())}
    assert found == {}, f"unknown or revoked in ATT&CK {VERSION}"


@pytest.mark.parametrize("room", ROOMS)
def test_techniques_named_in_code_are_in_the_pinned_list(room: str) -> None:
    folder = Path(str(importlib.import_module(room).__file__)).parent
    found = {
        f"{file.relative_to(folder)}: {name}"
        for file in folder.rglob("*.py")
        for name in TECHNIQUE.findall(file.read_text(encoding="utf-8"))
        if name not in TECHNIQUES
    }
    assert found == set(), f"unknown or revoked in ATT&CK {VERSION}"
