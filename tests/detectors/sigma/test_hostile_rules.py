"""Rule files that strangers wrote to do harm: refused by name or harmless, quickly; no code of theirs runs.

Short ones lie in `hostile_rules`; those of up to a megabyte are made here. Bounds: 1 s of CPU and 100 MB.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from detectors.sigma.document import RuleDocument
from detectors.sigma.engine import Engine
from detectors.sigma.ruleset import RuleSet

FOLDER = Path(__file__).parent / "hostile_rules"
ID = "11111111-1111-4111-8111-111111111111"
GOOD = "22222222-2222-4222-8222-222222222222"
MEGABYTES = 100
CPU_S = 1.0


def rule(selection: str = "{f: a}", condition: str = "s", more: str = "", rule_id: str = ID) -> str:
    return (
        f"title: t\nid: {rule_id}\n{more}logsource: {{product: test}}\n"
        f"detection:\n  s: {selection}\n  condition: {condition}\n"
    )


def listed(text: str, count: int) -> str:
    return "{f: [" + ", ".join(text.format(number) for number in range(count)) + "]}"


def correlation(condition: str = "{gte: 1}", kind: str = "event_count", span: str = "1d") -> str:
    told = f"{{type: {kind}, rules: [good], timespan: {span}, condition: {condition}}}"
    return f"title: t\nid: {ID}\ncorrelation: {told}\n"


REFUSED = {
    "alias": "anchors are not read",
    "alias_of_nothing": "aliases are not read",
    "bell_in_description": "cannot be seen",
    "billion_laughs": "anchors are not read",
    "binary_tag": "tags are not read",
    "condition_is_a_map": "the condition is no text",
    "condition_is_nothing": "the condition is no text",
    "date_as_id": "the id is no text",
    "date_that_is_none": "month must be",
    "detection_is_a_list": "YAML map",
    "direction_mark_in_title": "cannot be seen",
    "duplicate_key": "Duplicate key",
    "expression_nested": "linear time",
    "expression_too_large": "linear time",
    "half_of_a_pair": "not YAML",
    "huge_whole_number": "not a value",
    "key_with_direction_mark": "cannot be seen",
    "list_as_key": "a key that is no text",
    "merge_key": "merge keys are not read",
    "modifier_ten_times": "stands twice",
    "not_a_number": "Invalid number",
    "null_as_key": "is no text",
    "number_as_id": "the id is no text",
    "number_as_key": "is no text",
    "own_tag": "tags are not read",
    "path_as_id": "must be an UUID",
    "placeholder_of_placeholder": "placeholder",
    "product_is_a_map": "product",
    "python_object": "tags are not read",
    "python_object_as_key": "tags are not read",
    "recursive_anchor": "anchors are not read",
    "screen_escape_in_title": "cannot be seen",
    "twenty_dashes": "dashes",
}
# libyaml's composer, which is not used here, ends the process on the first of these.
LARGE_REFUSED: dict[str, tuple[Callable[[], str], str]] = {
    "400,000 brackets": (lambda: "[" * 400_000, "nests deeper"),
    "100,000 maps in maps": (lambda: "{a: " * 100_000, "nests deeper"),
    "10,000 dashes": (lambda: "- " * 10_000 + "a", "nests deeper"),
    "10,000 question marks": (lambda: "? " * 10_000 + "a", "nests deeper"),
    "500,000 indented lines": (lambda: "".join("\n" + " " * n + "-" for n in range(1000)), "nests deeper"),
    "more than a megabyte": (lambda: rule("{f: '" + "x" * 1_100_000 + "'}"), "larger than 1 MiB"),
    "a text of 900 KB": (lambda: rule("{f: '" + "x" * 900_000 + "'}"), "65536 characters"),
    "60,000 values": (lambda: rule(listed("v{}", 60_000)), "more than 50000 values"),
    "250,000 documents": (lambda: "---\n" * 250_000, "more than 2000 documents"),
    "5,000 selections": (
        lambda: rule().replace("  s: ", "".join(f"  s{n}: {{f: a}}\n" for n in range(5_000)) + "  s: "),
        "more than 500 selections",
    ),
    "20,000 fields": (
        lambda: rule("{" + ", ".join(f"f{n}: a" for n in range(20_000)) + "}"),
        "more than 2000 tests",
    ),
    "40,000 tags": (lambda: rule(more=f"tags: [{', '.join(['a.b'] * 40_000)}]\n"), "more than 200"),
    "condition of 100,000 words": (lambda: rule(condition="s and " * 100_000 + "s"), "65536 characters"),
    "condition of 10,000 words": (lambda: rule(condition="s and " * 10_000 + "s"), "8192 characters"),
    "condition that multiplies": (
        lambda: rule(listed("v{}", 5_000), " or ".join(["1 of them"] * 500)),
        "more than 100000 tests",
    ),
    "1,500 nots": (lambda: rule(condition="not " * 1_500 + "s"), "recursion"),
    "3,000 groups": (lambda: rule("{f|re: '" + "(" * 3_000 + ")" * 3_000 + "'}"), "recursion"),
    "expression of 60 KB": (lambda: rule("{f|re: '" + "a" * 60_000 + "'}"), "8192 characters"),
    "2,000 expressions": (
        lambda: rule(listed("'(a|b)*c{{1,900}}{}'", 2_000).replace("f:", "f|re:")),
        "regular expressions",
    ),
    "5,000 texts with dashes": (
        lambda: rule(listed("' -a -b -c -d{}'", 5_000).replace("f:", "f|windash|contains:")),
        "windash",
    ),
    "1,000 placeholders": (lambda: rule("{f|expand: '" + "%a%" * 1_000 + "'}"), "placeholders"),
    "a number of 60,000 digits": (lambda: rule("{f: 0x" + "f" * 60_000 + "}"), "4300 digits"),
    "a time of 5,000 parts": (lambda: rule("{f: " + ":".join(["59"] * 5_000) + "}"), "4300 digits"),
    "a time span of 400 digits": (lambda: correlation(span="9" * 400 + "d"), ""),
    "a count of 4,000 digits": (lambda: correlation("{gte: " + "9" * 4_000 + "}"), ""),
    "3,000 nots over rules": (lambda: correlation(f"'{'not ' * 3_000}good'", "temporal"), "recursion"),
}
LARGE_HARMLESS: dict[str, Callable[[], str]] = {
    "45,000 values": lambda: rule(listed("v{}", 45_000)),
    "a text of 60 KB": lambda: rule("{f|contains: '" + "x" * 60_000 + "'}"),
    "30,000 wildcards": lambda: rule("{f: '" + "*a" * 30_000 + "'}"),
    "base64offset of 60 KB": lambda: rule("{f|base64offset|contains: '" + "x" * 60_000 + "'}"),
    "wide base64offset of 800 KB": lambda: rule(
        listed("'" + "x" * 20_000 + "'", 40).replace("f:", "f|wide|base64offset|contains:")
    ),
    "20,000 networks": lambda: rule(
        "{f|cidr: [" + ", ".join(f"10.{n // 250}.{n % 250}.0/24" for n in range(20_000)) + "]}"
    ),
    "expression of 8 KB": lambda: rule("{f|re: '" + "(x*)*" * 1_600 + "'}"),
    "39 parentheses": lambda: rule(condition="(" * 39 + "s" + ")" * 39),
    "600 times all": lambda: rule(condition=" or ".join(["1 of them"] * 600)),
    "2,000 rules": lambda: "---\n".join(
        rule(rule_id=f"33333333-3333-4333-8333-{number:012d}") for number in range(2_000)
    ),
}


def loaded(text: str) -> tuple[RuleSet, float]:
    """Load a good rule and the text; the good rule must load whatever the text is."""
    started = time.process_time()
    good = rule(rule_id=GOOD, more="name: good\n")
    ruleset = RuleSet.load([RuleDocument("hostile.yml", text), RuleDocument("good.yml", good)])
    assert GOOD in {item.id for item in ruleset.rules}
    return ruleset, time.process_time() - started


def test_every_file_of_the_folder_is_named_here() -> None:
    assert {path.stem for path in FOLDER.glob("*.yml")} == REFUSED.keys()


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_hostile_file_is_refused_by_name(name: str) -> None:
    ruleset, seconds = loaded((FOLDER / f"{name}.yml").read_text(encoding="utf-8"))
    assert len(ruleset.rules) == 1
    assert any(REFUSED[name] in refusal.reason for refusal in ruleset.refusals), ruleset.refusals
    assert all(str(refusal).isprintable() and refusal.line for refusal in ruleset.refusals)
    assert seconds < CPU_S


@pytest.mark.parametrize("name", sorted(LARGE_REFUSED))
def test_a_large_hostile_file_is_refused_in_time(name: str) -> None:
    made, reason = LARGE_REFUSED[name]
    ruleset, seconds = loaded(made())
    assert (len(ruleset.rules), ruleset.correlations) == (1, ())
    assert any(reason in refusal.reason for refusal in ruleset.refusals), ruleset.refusals
    assert all(len(str(refusal)) < 1_000 and refusal.way_out for refusal in ruleset.refusals)
    assert seconds < CPU_S


@pytest.mark.parametrize("name", sorted(LARGE_HARMLESS))
def test_a_large_file_within_bounds_loads_in_time(name: str) -> None:
    ruleset, seconds = loaded(LARGE_HARMLESS[name]())
    assert ruleset.refusals == ()
    assert seconds < 3 * CPU_S  # these are rules, and their tests are compiled


@pytest.mark.parametrize("path", sorted((FOLDER / "harmless").glob("*.yml")), ids=lambda path: path.stem)
def test_a_strange_file_loads_and_does_no_harm(path: Path, make_event: Any) -> None:
    ruleset, seconds = loaded(path.read_text(encoding="utf-8"))
    assert len(ruleset.rules) == 2
    started = time.process_time()
    for value in ("a" * 64_000, "a" * 30 + "!", {"__class__": "a"}):
        Engine(ruleset).inspect(make_event({"f": value, "__class__": "a"}))
    assert seconds + time.process_time() - started < CPU_S


CODE = [
    "__class__",
    "__builtins__",
    "f.__init__.__globals__.os.system",
    'x"]; import os; os._exit(7)  #',
    "x'); __import__('os')._exit(7)  #",
    "lambda f: f",
    "k0) or (1",
    "{c}",
    "{v}.{c}",
    "%s%(a)s",
    "\\x41\\N{BULLET}",
    "f\\",
    "M",
    "S",
    "D",
    "r0",
    "t1",
    "(d := f)",
    "x\ny",
    "\u2028",
    "a..b",
    ".",
    "..",
    " ",
    "ÅÄÖ.ß",
]


@pytest.mark.parametrize("field", CODE)
def test_a_field_name_is_a_name_and_never_code(field: str, make_event: Any) -> None:
    """The engine compiles source that it writes itself; whatever the name, it only ever finds that key."""
    quoted = field.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\u2028", "\\L")
    ruleset, _ = loaded(rule(f'{{"{quoted}": a}}'))
    assert ruleset.refusals == ()
    engine = Engine(ruleset)
    assert [f.rule_id for f in engine.inspect(make_event({"f": "x", field: "a"})).findings] == [ID]
    assert engine.inspect(make_event({"f": "x", "other": "a"})).findings == ()
    assert engine.inspect(make_event({field: "b"})).findings == ()


def test_all_hostile_files_together_stay_within_memory() -> None:
    """In a process of its own: at its highest it holds at most 100 MB more than when it only began."""
    code = f"import runpy; runpy.run_path({__file__!r})['measure']()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < MEGABYTES, f"{done.stdout} MB"


def measure() -> None:
    """Print how many MB the highest memory rose over all hostile files, one after the other."""
    loaded(rule())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for path in sorted(FOLDER.rglob("*.yml")):
        loaded(path.read_text(encoding="utf-8"))
    for made, _ in LARGE_REFUSED.values():
        loaded(made())
    for make in LARGE_HARMLESS.values():
        loaded(make())
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def test_nothing_shown_can_forge_a_line() -> None:
    """A refusal tells what the rule says, with nothing of it that a screen would act on."""
    forged = rule(more='level: "high\\r\\n\\e[2Jall well"\n')
    [refusal] = loaded(forged)[0].refusals
    assert str(refusal).isprintable()
