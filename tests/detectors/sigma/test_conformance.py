"""The public conformance suite: ours passes it whole; its reader and its judge tell wrong from right."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from detectors.sigma.conformance import judge, judge_all
from detectors.sigma.conformance_case import Case, CaseError, parse

SUITE = Path(__file__).parents[2] / "conformance"
FILES = sorted(SUITE.rglob("*.yml"))


def topic_of(file: Path) -> str:
    return file.relative_to(SUITE).with_suffix("").as_posix()


def cases_of(file: Path) -> tuple[Case, ...]:
    return parse(topic_of(file), file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", FILES, ids=topic_of)
def test_every_case_passes(file: Path) -> None:
    failed = [verdict for verdict in judge_all(cases_of(file)) if not verdict.passed]
    assert [(v.case.id, v.case.expected, v.seen) for v in failed] == []


def test_the_suite_is_as_large_as_it_says() -> None:
    cases = [case for file in FILES for case in cases_of(file)]
    assert len(cases) >= 1_500
    assert len({case.id for case in cases}) == len(cases)
    assert sum(case.basis == "specification" for case in cases) >= 800


def test_every_entry_quotes_its_section() -> None:
    for file in FILES:
        for entry in yaml.safe_load(file.read_text(encoding="utf-8"))["cases"]:
            for block in (entry.get("specification"), entry.get("decision")):
                assert block is None or block.get("text") or (block["section"] and block["quote"])


ONE = """
cases:
- id: x
  title: x
  selection: {f: a}
  decision: {text: t, match: {row: {f: %s}}}
"""


@pytest.mark.parametrize(("value", "passed"), [("a", True), ("b", False), ("null", False)])
def test_a_case_that_is_not_met_fails(value: str, passed: bool) -> None:
    [case] = parse("t", ONE % value)
    verdict = judge(case)
    assert verdict.passed is passed
    assert verdict.seen == f"{int(passed)} findings"


COUNT = """
columns: [id, time, f]
documents: [{name: one, detection: {s: {f: a}, condition: s}}]
cases:
- id: x
  title: x
  correlation: {type: event_count, rules: [one], timespan: 10s, condition: {gte: 2}}
  decision:
    text: t
    tries: {row: {events: [[e1, 1, a], [e2, 2, a]], %s}}
"""


@pytest.mark.parametrize(
    ("wanted", "passed"),
    [
        ("findings: [[e2, e1]]", True),
        ("findings: [[e1]]", False),
        ("findings: [[e1, e2], [e1]]", False),
        ("findings: []", False),
        ("fires: true", True),
        ("fires: false", False),
        ("fires: true, of: one", False),
    ],
)
def test_findings_are_compared_as_sets(wanted: str, passed: bool) -> None:
    [case] = parse("t", COUNT % wanted)
    assert judge(case).passed is passed


def test_a_rule_that_loads_does_not_pass_as_refused() -> None:
    [case] = parse("t", "cases: [{id: x, title: x, selection: {f: a}, decision: {text: t, refused: true}}]")
    assert not judge(case).passed


def test_a_refusal_of_an_earlier_document_does_not_pass() -> None:
    text = (
        "documents: [{detection: {s: {f|no: a}, condition: s}}]\n"
        "cases: [{id: x, title: x, selection: {f|no: a}, decision: {text: t, refused: true}}]"
    )
    [case] = parse("t", text)
    assert not judge(case).passed


def test_a_refused_rule_is_no_silence() -> None:
    text = "cases: [{id: x, title: x, selection: {f|no: a}, decision: {text: t, no_match: {row: {f: b}}}}]"
    [case] = parse("t", text)
    assert judge(case).seen.startswith("refused: 0.yml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "AttributeError"),
        ("cases: [", "ParserError"),
        ("cases: [{id: x, title: x, decision: {text: t}}]", "one of selection"),
        ("cases: [{id: x, title: x, selection: {}, detection: {}}]", "one of selection"),
        ("cases: [{id: x, title: x, selection: {}, typo: 1}]", "unknown keys: typo"),
        ("cases: [{id: x, title: x, selection: {f: a}, decision: {text: t, mach: {}}}]", "unknown keys"),
        ("cases: [{id: x, title: x, selection: {f: a}, decision: {text: t, match: {a: 5}}}]", "no JSON"),
        ("cases: [{id: x, title: x, selection: {f: a}, decision: {text: t, match: {1: {}}}}]", "no text"),
        ("cases: [{id: x, title: x, selection: {f: a}, specification: {match: {a: {}}}}]", "quote"),
        (ONE % "a" + ONE.removeprefix("\ncases:") % "b", "stand twice: t/x/row"),
        (COUNT % "findings: [], fires: false", "one of fires"),
        (COUNT.replace("e1, 1, a", "e1, 1, a, b") % "fires: true", "more values"),
        (COUNT.replace("e1, 1, a", "e1, soon, a") % "fires: true", "needs id"),
        (COUNT % "fires: true, of: two", "two"),
    ],
)
def test_a_file_that_is_not_as_the_readme_says_is_named(text: str, said: str) -> None:
    with pytest.raises(CaseError, match=said):
        parse("t", text)
