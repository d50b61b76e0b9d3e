"""Test events of shipped correlations stand at their edges: a figure a little off, and a verdict changes."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
import yaml

from connectors.sources.catalogue import profile
from detectors.event import Event, Fields, Locator
from detectors.rules import builtin
from detectors.rules.cases import builtin_cases, judge
from detectors.sigma.document import RuleDocument
from detectors.sigma.ruleset import RuleSet

DOCUMENTS: Final = builtin()
CORRELATIONS: Final = [document for document in DOCUMENTS if "\ncorrelation:" in document.text]
NAME: Final = re.compile(r"^name: (\S+)$", re.MULTILINE)
SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# One event is enough for it: how long it waits and whom it puts together only bounds how often it speaks.
OF_ONE_EVENT: Final = "istio_access/plaintext_caller.yml"


@pytest.mark.parametrize("document", CORRELATIONS, ids=lambda document: document.path)
def test_each_figure_of_a_correlation_decides_a_verdict(document: RuleDocument) -> None:
    original = yaml.safe_load(document.text)
    related = _with_fed(document)
    cases = builtin_cases(document)
    tries = [(_events(document, one), True) for one in cases.match]
    tries += [(_events(document, one), False) for one in cases.no_match]
    survived = []
    for name, mutant in _mutants(original):
        text = yaml.safe_dump(mutant, sort_keys=False)
        loaded = RuleSet.load([RuleDocument(d.path, text if d is document else d.text) for d in related])
        assert not loaded.refusals, name
        if all(judge(loaded, original["id"], events) is wanted for events, wanted in tries):
            survived.append(name)
    wanted = {"gte - 1", "timespan - 1 s", "timespan + 1 s", "group-by less 1", "group-by less 2"}
    assert set(survived) == (wanted if document.path == OF_ONE_EVENT else set())


def _mutants(rule: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what is other, and the correlation with it."""
    part = rule["correlation"]
    for sign, step in (("-", -1), ("+", 1)):
        less = copy.deepcopy(rule)
        less["correlation"]["timespan"] = (
            f"{int(part['timespan'][:-1]) * SECONDS[part['timespan'][-1]] + step}s"
        )
        yield f"timespan {sign} 1 s", less
        if "gte" in part.get("condition", {}):
            less = copy.deepcopy(rule)
            less["correlation"]["condition"]["gte"] += step
            yield f"gte {sign} 1", less
    for place in range(len(part["group-by"])):
        less = copy.deepcopy(rule)
        del less["correlation"]["group-by"][place]
        yield f"group-by less {place + 1}", less
    if part["type"] == "temporal_ordered":
        less = copy.deepcopy(rule)
        less["correlation"]["type"] = "temporal"
        yield "in any order", less
    elif len(part["rules"]) > 1:
        for name in part["rules"]:
            less = copy.deepcopy(rule)
            less["correlation"]["rules"].remove(name)
            for alias in less["correlation"].get("aliases", {}).values():
                alias.pop(name, None)
            yield f"without {name}", less


def _with_fed(document: RuleDocument) -> list[RuleDocument]:
    """Return the document and those of all rules and correlations below it."""
    wanted = [document]
    for item in wanted:
        names = yaml.safe_load(item.text).get("correlation", {}).get("rules", [])
        wanted += [d for d in DOCUMENTS if _named(d) in names and d not in wanted]
    return wanted


def _named(document: RuleDocument) -> str | None:
    found = NAME.search(document.text)
    return found[1] if found else None


def _events(document: RuleDocument, records: tuple[Fields, ...]) -> list[Event]:
    source = profile(document.path.split("/")[0])
    return [source.parse(record, Locator("t", 0, place, 0), {}) for place, record in enumerate(records)]
