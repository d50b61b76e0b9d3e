"""What each Sigma construct means: one row, one decision."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from detectors.event import Event, Fields
from detectors.sigma.engine import Engine
from detectors.sigma.ruleset import RuleSet

Load = Callable[[str], RuleSet]
Make = Callable[[Fields], Event]

ROWS: list[tuple[str, str, Fields, bool]] = [
    ("text is equal without regard to case", "f: Abc", {"f": "aBC"}, True),
    ("text is the whole text", "f: Abc", {"f": "abcd"}, False),
    ("case beyond ASCII", "f: STRASSE", {"f": "straße"}, True),
    ("cased", "f|cased: Abc", {"f": "abc"}, False),
    ("cased equal", "f|cased: Abc", {"f": "Abc"}, True),
    ("cased contains", "f|contains|cased: bC", {"f": "abC"}, True),
    ("cased contains other case", "f|contains|cased: bC", {"f": "abc"}, False),
    ("list is any", "f: [a, b]", {"f": "b"}, True),
    ("all of contains", "f|contains|all: [ab, cd]", {"f": "cdXab"}, True),
    ("all of contains, one lacks", "f|contains|all: [ab, cd]", {"f": "ab"}, False),
    ("startswith", "f|startswith: ab", {"f": "ABc"}, True),
    ("startswith is no contains", "f|startswith: ab", {"f": "xab"}, False),
    ("endswith", "f|endswith: [x, bc]", {"f": "abc"}, True),
    ("wildcard star", "f: a*c", {"f": "abbbc"}, True),
    ("wildcard star spans lines", "f: a*c", {"f": "a\nc"}, True),
    ("wildcard question mark is one", "f: a?c", {"f": "ac"}, False),
    ("wildcard question mark", "f: a?c", {"f": "aXc"}, True),
    ("escaped wildcard", r"f: a\*c", {"f": "a*c"}, True),
    ("escaped wildcard is plain", r"f: a\*c", {"f": "abc"}, False),
    ("several stars", "f: a*b*c", {"f": "a1b2b3c"}, True),
    ("several stars in order", "f: a*b*c", {"f": "acb"}, False),
    ("regular expression metacharacters are plain", "f|contains: 'a.c'", {"f": "abc"}, False),
    ("a lone star needs a value", "f: '*'", {"f": None}, False),
    ("a lone star takes any value", "f: '*'", {"f": ""}, True),
    ("empty text", "f: ''", {"f": ""}, True),
    ("empty text is not missing", "f: ''", {}, False),
    ("null is missing", "f: null", {}, True),
    ("null is null", "f: null", {"f": None}, True),
    ("null is not empty", "f: null", {"f": ""}, False),
    ("null is an empty list", "f: null", {"f": []}, True),
    ("exists", "f|exists: true", {"f": 0}, True),
    ("exists holds for null", "f|exists: true", {"f": None}, True),
    ("exists false", "f|exists: false", {"g": 1}, True),
    ("number", "f: 42", {"f": 42}, True),
    ("number equals its text", "f: 42", {"f": "42"}, True),
    ("text equals the number", "f: '42'", {"f": 42}, True),
    ("number is no part of a text", "f: 42", {"f": "142"}, False),
    ("number as float", "f: 42", {"f": 42.0}, True),
    ("true is not one", "f: 1", {"f": True}, False),
    ("boolean", "f: true", {"f": True}, True),
    ("boolean equals its word", "f: true", {"f": "True"}, True),
    ("word equals the boolean", "f: 'false'", {"f": False}, True),
    ("nested repetition is linear", "f|re: '(a+)+b'", {"f": "a" * 60_000}, False),
    ("flags", "f|re|i|s: 'A.B'", {"f": "xa\nb"}, True),
    ("multi-line", "f|re|m: '^b$'", {"f": "a\nb"}, True),
    ("half a surrogate pair is no character", "f|re: 'a.b'", {"f": "a\ud800b"}, True),
    ("hour is in UTC", "f|hour: 22", {"f": "2026-11-23T23:05:00+01:00"}, True),
    ("hour, other", "f|hour: 23", {"f": "2026-11-23T23:05:00+01:00"}, False),
    ("hour of nanoseconds", "f|hour: 3", {"f": "2026-11-23T03:05:00.123456789Z"}, True),
    ("hour of a number", "f|hour: 3", {"f": 3}, False),
    ("hours from", "f|hour|gte: 20", {"f": "2026-11-23T20:00:00Z"}, True),
    ("minute", "f|minute: 5", {"f": "2026-11-23T03:05:59Z"}, True),
    ("day", "f|day: 23", {"f": "2026-11-23"}, True),
    ("week is of ISO 8601", "f|week: 53", {"f": "2027-01-01T00:00:00Z"}, True),
    ("month", "f|month: [1, 11]", {"f": "2026-11-23T03:05:59Z"}, True),
    ("year of milliseconds", "f|year: 2026", {"f": 1_795_428_170_788}, True),
    ("year of seconds", "f|year: 2026", {"f": 1_795_428_170}, True),
    ("year of no time", "f|year: 2026", {"f": "2026"}, False),
    ("utf16le", "f|utf16le|base64offset|contains: abc", {"f": "xxYQBiAGMAxx"}, True),
    ("gt", "f|gt: 5", {"f": 6}, True),
    ("gt edge", "f|gt: 5", {"f": 5}, False),
    ("gte edge", "f|gte: 5", {"f": 5}, True),
    ("lt reads text", "f|lt: 5", {"f": "4.5"}, True),
    ("lt reads text as a number, not letters", "f|gt: 5", {"f": "10"}, True),
    ("lte of no number", "f|lte: 5", {"f": "abc"}, False),
    ("compare with missing", "f|lt: 5", {}, False),
    ("compare with NaN", "f|lt: 5", {"f": "nan"}, False),
    ("re searches", "f|re: b.d", {"f": "abcde"}, True),
    ("re keeps case", "f|re: ABC", {"f": "abc"}, False),
    ("re with i", "f|re|i: ABC", {"f": "abc"}, True),
    ("re anchored by itself", "f|re: ^b", {"f": "ab"}, False),
    ("cidr", "f|cidr: 10.0.0.0/8", {"f": "10.1.2.3"}, True),
    ("cidr outside", "f|cidr: 10.0.0.0/8", {"f": "11.1.2.3"}, False),
    ("cidr of a service name", "f|cidr: 10.0.0.0/8", {"f": "AWS Internal"}, False),
    ("cidr with a port", "f|cidr: 10.0.0.0/8", {"f": "10.1.2.3:443"}, True),
    ("cidr version 6", "f|cidr: 2001:db8::/32", {"f": "2001:db8::1"}, True),
    ("cidr version 6 with a port", "f|cidr: 2001:db8::/32", {"f": "[2001:db8::1]:443"}, True),
    ("cidr of a mapped address", "f|cidr: 10.0.0.0/8", {"f": "::ffff:10.0.0.1"}, True),
    ("windash", "f|windash|contains: ' -enc'", {"f": "x /enc y"}, True),
    ("windash dash", "f|windash|contains: ' -enc'", {"f": "x \u2013enc y"}, True),
    ("base64", "f|base64|contains: foobar", {"f": "xxZm9vYmFyxx"}, True),
    ("base64offset", "f|base64offset|contains: foobar", {"f": "aGVsbG9mb29iYXI="}, True),
    ("neq", "f|neq: a", {"f": "b"}, True),
    ("neq of a list is none of them", "f|neq: [a, b]", {"f": "b"}, False),
    ("neq of missing", "f|neq: a", {}, True),
    ("fieldref", "f|fieldref: g", {"f": "X", "g": "x"}, True),
    ("fieldref differs", "f|fieldref: g", {"f": "x", "g": "y"}, False),
    ("fieldref missing", "f|fieldref: g", {"f": "x"}, False),
    ("fieldref neq", "f|fieldref|neq: g", {"f": "x", "g": "y"}, True),
    ("fieldref endswith", "f|fieldref|endswith: g", {"f": "a:b", "g": "b"}, True),
    ("fieldref contains", "f|fieldref|contains: g", {"f": "a:b:c", "g": "b"}, True),
    ("nested field", "a.b: x", {"a": {"b": "x"}}, True),
    ("dotted key", "a.b: x", {"a.b": "x"}, True),
    ("dotted key below", "a.b.c: x", {"a": {"b.c": "x"}}, True),
    ("fan out over a list of values", "f: b", {"f": ["a", "b"]}, True),
    ("fan out over objects", "a.b: y", {"a": [{"b": "x"}, {"b": "y"}]}, True),
    ("fan out, deep", "a.b.c: y", {"a": [{"b": [{"c": "x"}, {"c": ["y"]}]}]}, True),
    ("fan out, missing in some", "a.b: null", {"a": [{"b": "x"}, {}]}, False),
    ("exists in a list", "a.b|exists: true", {"a": [{}, {"b": None}]}, True),
    ("not over a list is none of them", "f|neq: b", {"f": ["a", "b"]}, False),
    ("an object reads as JSON", 'f|contains: \'"k":"Suspended"\'', {"f": {"k": "Suspended"}}, True),
    ("an object in a list reads as JSON", "f|contains: Suspended", {"f": [{"k": "Suspended"}]}, True),
    ("alias of the source", "CommandLine|contains: sh", {"process": {"command_line": "bash"}}, True),
    ("scalar where an object belongs", "a.b: x", {"a": "x"}, False),
]


@pytest.mark.parametrize(
    ("item", "fields", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_field(load_detection: Load, make_event: Make, item: str, fields: Fields, expected: bool) -> None:
    ruleset = load_detection(f"s:\n  {item}\ncondition: s")
    assert ruleset.refusals == ()
    inspection = Engine(ruleset).inspect(make_event(fields))
    assert not inspection.errors
    assert bool(inspection.findings) is expected


CONDITIONS: list[tuple[str, str, Fields, bool]] = [
    ("map is and", "s: {f: a, g: b}\ncondition: s", {"f": "a", "g": "x"}, False),
    ("list of maps is or", "s: [{f: a}, {g: b}]\ncondition: s", {"g": "b"}, True),
    ("not", "s: {f: a}\nn: {g: b}\ncondition: s and not n", {"f": "a", "g": "c"}, True),
    ("parentheses", "a: {f: a}\nb: {f: b}\nc: {g: c}\ncondition: (a or b) and c", {"f": "b", "g": "c"}, True),
    ("and before or", "a: {f: a}\nb: {f: b}\nc: {g: c}\ncondition: a or b and c", {"f": "a"}, True),
    ("1 of pattern", "s1: {f: a}\ns2: {g: b}\ncondition: 1 of s*", {"g": "b"}, True),
    ("all of pattern", "s1: {f: a}\ns2: {g: b}\ncondition: all of s*", {"g": "b"}, False),
    ("1 of them skips underscore", "_x: {f: a}\ns: {g: b}\ncondition: 1 of them", {"f": "a"}, False),
    ("conditions are or", "a: {f: a}\nb: {g: b}\ncondition: [a, b]", {"g": "b"}, True),
    ("keyword anywhere", "k: [needle]\ncondition: k", {"a": {"b": ["a Needle here"]}}, True),
    ("keyword in a key", "k: [needle]\ncondition: k", {"a": {"needle": 1}}, True),
    ("keyword absent", "k: [needle]\ncondition: k", {"a": 1}, False),
    ("keywords all", "k:\n  '|all': [one, two]\ncondition: k", {"a": "one", "b": "two"}, True),
    ("keywords all, one lacks", "k:\n  '|all': [one, two]\ncondition: k", {"a": "one"}, False),
    ("keyword with wildcards", "k: ['a?c']\ncondition: k", {"a": "xabcx"}, True),
    ("not of missing", "s: {f: a}\ncondition: not s", {}, True),
    ("same field twice", "s: {f|startswith: a, f|endswith: c}\ncondition: s", {"f": "abc"}, True),
]


@pytest.mark.parametrize(
    ("detection", "fields", "expected"), [row[1:] for row in CONDITIONS], ids=[row[0] for row in CONDITIONS]
)
def test_condition(
    load_detection: Load, make_event: Make, detection: str, fields: Fields, expected: bool
) -> None:
    ruleset = load_detection(detection)
    assert ruleset.refusals == ()
    assert bool(Engine(ruleset).inspect(make_event(fields)).findings) is expected
