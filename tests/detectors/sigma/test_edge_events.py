"""Events that try to break a rule, from the bytes on: what each of them is here, and what it costs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.sources.catalogue import profile
from connectors.sources.envelope import unpack
from connectors.sources.unpacked import Unpacked
from detectors.event import Event, Fields
from detectors.sigma.document import RuleDocument
from detectors.sigma.engine import Engine, Inspection
from detectors.sigma.ruleset import RuleSet

ROOT = Path(__file__).parents[3]
Make = Callable[[Fields], Event]
RECORD = (
    '{"eventVersion":"1.08","eventTime":"2026-11-20T08:15:30Z","eventSource":"iam.amazonaws.com",'
    '"eventName":"CreateUser","eventID":"0b8f8ae8-6d2c-4e4c-8d43-8f0d9cbdd2aa","awsRegion":"eu-west-1",'
    '"userIdentity":{"type":"Root"},"sourceIPAddress":"192.0.2.1",%s}'
)
HOSTILE_MS = 50
"""Of CPU. One pattern takes 2 at most over 64 Ki hostile characters (`bench/patterns.py`)."""


def rule(number: int, detection: str) -> RuleDocument:
    text = (
        f"title: Rule {number}\nid: 00000000-0000-4000-8000-{number:012d}\nlogsource: {{product: aws}}\n"
        f"detection:\n  s: {detection}\n  condition: s\n"
    )
    return RuleDocument(f"{number}.yml", text)


def engine(*detections: str) -> Engine:
    loaded = RuleSet.load(rule(number, detection) for number, detection in enumerate(detections))
    assert loaded.refusals == ()
    return Engine(loaded)


def read(fields: str) -> Unpacked:
    """Unpack a CloudTrail record that holds these fields, written as JSON."""
    return unpack((RECORD % fields).encode(), profile("cloudtrail"), "raw", 0, 7)


def inspect(fields: str, *detections: str) -> Inspection:
    found = read(fields)
    [event] = found.events
    return engine(*detections).inspect(event)


def rules_of(inspection: Inspection) -> list[int]:
    return sorted(int(finding.rule_id[-12:]) for finding in inspection.findings)


def test_a_text_of_20_mb_is_searched_but_not_by_regular_expressions() -> None:
    text = "a" * (20 << 20) + "needle"
    began = time.process_time()
    inspection = inspect(
        f'"userAgent":"{text}"', "{userAgent|contains: needle}", "{userAgent|re: needle}", "[needle]"
    )
    assert rules_of(inspection) == [0, 2]
    assert [(error.rule_id[-1], error.reason) for error in inspection.errors] == [("1", "TextTooLongError")]
    assert time.process_time() - began < 5


def test_a_record_of_10_000_levels_is_rejected_by_name() -> None:
    found = read(f'"userAgent":{"[" * 10_000}{"]" * 10_000}')
    assert not found.events
    assert [reject.reason.value for reject in found.rejects] == ["too_deep"]


def test_what_is_nested_over_100_levels_is_read_as_the_text_of_its_json() -> None:
    deep = f'"userAgent":{"[" * 900}"needle"{"]" * 900}'
    inspection = inspect(deep, "{userAgent|contains: needle}", "{userAgent: needle}", "[needle]")
    assert (rules_of(inspection), list(inspection.errors)) == ([0, 2], [])


def test_lists_in_the_field_are_opened_at_every_level_that_is_read() -> None:
    inspection = inspect(f'"userAgent":{"[" * 90}"needle"{"]" * 90}', "{userAgent: needle}", "[needle]")
    assert (rules_of(inspection), list(inspection.errors)) == ([0, 1], [])


def test_a_nested_key_goes_before_a_key_with_the_dot_in_it() -> None:
    both = '"userAgent":{"x":"nested"},"userAgent.x":"dotted"'
    wanted = ("{userAgent.x: nested}", "{userAgent.x: dotted}")
    assert rules_of(inspect(both, *wanted)) == [0]
    assert rules_of(inspect('"userAgent.x":"dotted"', *wanted)) == [1]


def test_keys_that_differ_by_case_are_different_fields() -> None:
    inspection = inspect(
        '"useragent":"other","userAgent":"one"',
        *("{userAgent: one}", "{useragent: other}", "{USERAGENT: one}", "{userAgent: other}"),
    )
    assert rules_of(inspection) == [0, 1]


def test_of_a_key_that_stands_twice_the_last_counts() -> None:
    assert rules_of(inspect('"userAgent":"a","userAgent":"b"', "{userAgent: a}", "{userAgent: b}")) == [1]


@pytest.mark.parametrize("half", ["\\ud800", "\\udfff", "\\udfff\\ud800"])
def test_half_of_a_surrogate_pair_hides_nothing(half: str) -> None:
    inspection = inspect(
        f'"userAgent":"needle{half}"',
        *("{userAgent|startswith: needle}", "{userAgent|re: ^needle.+$}", "[needle]"),
    )
    assert (rules_of(inspection), list(inspection.errors)) == ([0, 1, 2], [])


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_json_number_rejects_the_record(number: str) -> None:
    assert [reject.reason.value for reject in read(f'"x":{number}').rejects] == ["nan"]


def test_a_number_that_no_double_holds_reads_as_its_text() -> None:
    whole = "1" + "0" * 400
    inspection = inspect(
        f'"x":1e400,"y":{whole},"z":123456789012345678901234567890',
        *('{x: "1e400"}', "{x|gt: 1}", f'{{y: "{whole}"}}', "{z|gt: 123456789012345678}"),
    )
    assert (rules_of(inspection), list(inspection.errors)) == ([0, 2, 3], [])


def test_values_that_only_python_can_make_are_judged_too(make_event: Make) -> None:
    made = [
        RuleDocument(item.path, item.text.replace("product: aws", "product: test"))
        for item in (rule(0, "{f|gt: 0}"), rule(1, "{f: nan}"), rule(2, "{f|re: .}"), rule(3, "[needle]"))
    ]
    held = Engine(RuleSet.load(made))
    values: list[Any] = [float("nan"), float("inf"), 10**400, "\ud800", {"\ud800": "\udfff"}, [[], {}]]
    found = [held.inspect(make_event({"f": value})) for value in values]
    assert [rules_of(inspection) for inspection in found] == [[1, 2], [2], [0, 2], [2], [2], [2]]
    assert not any(inspection.errors for inspection in found)


def test_100_000_keys_are_read_and_searched() -> None:
    keys = ",".join(f'"k{number}":{number}' for number in range(100_000))
    began = time.process_time()
    inspection = inspect(
        f'{keys},"userAgent":{{{keys},"last":"needle"}}',
        *("{k99999: 99999}", "{userAgent.last: needle}", "[needle]", "{userAgent|contains: needle}"),
    )
    assert rules_of(inspection) == [0, 1, 2, 3]
    assert time.process_time() - began < 5


def hostile() -> Iterator[tuple[str, str]]:
    """Yield patterns with a text that makes a backtracking engine try everything."""
    long = 65_536
    yield "{userAgent: '*" + "a*" * 30 + "b'}", "a" * long
    yield "{userAgent: '*" + "a*" * 1000 + "b'}", "a" * long
    yield "{userAgent: '*" + "ab" * 500 + "c*d'}", "ab" * (long // 2)
    yield "{userAgent: '*" + "a?" * 20 + "b*'}", "a" * long
    yield "{userAgent: '*" + "?" * 50 + "b'}", "a" * long
    yield "{userAgent: '" + "?" * 100 + "*'}", "a" * long
    yield "['*a*a*a*a*a*a*a*a*b*']", "a" * long
    for expression in ("(a+)+$", "(a|aa)+b", "(.*a){20}$", "(.*)*b", "(a?){30}a{30}b", "([a-z]+)*1"):
        yield f"{{userAgent|re: '{expression}'}}", "a" * (long - 1) + "!"


@pytest.mark.parametrize(("detection", "text"), list(hostile()), ids=range(13))
def test_no_pattern_is_slow_on_hostile_text(detection: str, text: str) -> None:
    held = engine(detection)
    [event] = read(f'"userAgent":{json.dumps(text)}').events
    held.inspect(event)
    spent = []
    for _ in range(3):
        began = time.process_time()
        assert not held.inspect(event).errors
        spent.append(1000 * (time.process_time() - began))
    assert min(spent) < HOSTILE_MS


NEEDLES = ("a.c", "(b", "x|y", "\\d", "#!", "é", "日本", "\x00", "^a", "end$", "a b", "[z", "tab\t", "line\n")


@pytest.mark.parametrize("needle", [*NEEDLES, "\ud800", "abc", "b", "x", "y", "d5"])
@pytest.mark.parametrize("length", [0, 3000, 70_000])
def test_many_texts_are_looked_for_in_a_long_text_as_in_a_short_one(
    make_event: Make, needle: str, length: int
) -> None:
    text = "." * length + needle + "." * length
    wanted = [needle.casefold() in text for needle in NEEDLES]
    rules = [rule(0, json.dumps({"f|contains": list(NEEDLES)})), rule(1, json.dumps(list(NEEDLES)))]
    held = Engine(RuleSet.load([RuleDocument(r.path, r.text.replace(": aws", ": test")) for r in rules]))
    inspection = held.inspect(make_event({"f": text}))
    assert rules_of(inspection) == ([0, 1] if any(wanted) else [])
    assert not inspection.errors


def test_the_pattern_benchmark_names_what_is_slow() -> None:
    command = [sys.executable, ROOT / "bench/patterns.py", "--slowest", "3", f"--limit={HOSTILE_MS}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "made to be slow: " in done.stdout
