"""The shipped inventory: rules may refer to its classes, and an empty one makes no exception."""

from __future__ import annotations

import re

import pytest

from connectors.sources.catalogue import profile
from detectors.event import Event, Locator
from detectors.inventory.shipped import NOBODY, classes, placeholders
from detectors.rules import builtin
from detectors.sigma.document import RuleDocument
from detectors.sigma.engine import Engine
from detectors.sigma.ruleset import RuleSet

RULE = """title: Somebody else wrote
id: 5f0f7c0e-6c55-4b0e-9d2f-0c4a52f4a6a1
logsource: {product: kubernetes, service: audit}
detection:
  write: {verb: create}
  known:
    user.username|expand: '%CLASS%'
  condition: write and not known
level: high
"""


def speaks(text: str, user: str, values: dict[str, tuple[str, ...]] | None = None) -> bool:
    loaded = RuleSet.load([RuleDocument("rule.yml", text)], values)
    assert not loaded.refusals
    fields = {"verb": "create", "stage": "ResponseComplete", "user": {"username": user}}
    event = Event(profile("kubernetes_audit"), 0.0, fields, Locator("t", 0, 0, 0))
    return bool(Engine(loaded).inspect(event).findings)


def test_a_rule_makes_its_exception_for_the_members_of_a_class():
    text = RULE.replace("CLASS", "kubernetes_nodes")
    assert not speaks(text, "system:node:any")
    assert speaks(text, "system:nodes:any")


def test_an_empty_class_makes_no_exception_and_refuses_no_rule():
    assert classes()["kubernetes_ci"].names == ()
    assert speaks(RULE.replace("CLASS", "kubernetes_ci"), "anybody")


def test_names_of_a_site_are_added_to_the_shipped_ones():
    values = placeholders({"kubernetes_nodes": ("kubelet-*",)})
    text = RULE.replace("CLASS", "kubernetes_nodes")
    assert not speaks(text, "kubelet-7", values)
    assert not speaks(text, "system:node:any", values)


@pytest.mark.parametrize("known", classes().values(), ids=lambda known: known.name)
def test_no_class_holds_everybody(known):
    assert NOBODY not in known.names
    assert all(name.strip("*?:/.- ") for name in known.names)
    assert known.what
    assert len(set(known.names)) == len(known.names)


def test_every_class_that_a_shipped_rule_names_is_there():
    named = {name for one in builtin() for name in re.findall(r"expand: *['\"]%([a-z_]+)%", one.text)}
    assert named <= set(classes())
