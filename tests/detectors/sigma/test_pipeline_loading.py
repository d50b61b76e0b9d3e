"""Pipelines load whole, or every problem is told with file, line, key and what is allowed; none runs code."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.errors import ConfigurationError
from detectors.sigma.document import RuleDocument
from detectors.sigma.pipeline.document import MAX_DEPTH, MAX_TEXT, PipelineDocument
from detectors.sigma.pipeline.pipelines import Pipelines
from detectors.sigma.pipeline.source import Source, SourceError
from detectors.sigma.ruleset import RuleSet

RULE = """title: t
id: 5f0d6c58-30fb-4b0c-9d9e-6f6b7a0d9a00
logsource: {product: aws}
detection: {s: {f|expand: '%p%'}, condition: s}
"""


def load(*texts: str) -> Pipelines:
    return Pipelines.load(PipelineDocument(f"p{place}.yml", text) for place, text in enumerate(texts))


def problems(*texts: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(*texts)
    return [str(problem) for problem in caught.value.problems]


BROKEN: list[tuple[str, str, str]] = [
    ("not YAML", "transformations: [", "p0.yml:1: not YAML"),
    ("no mapping", "- a", "p0.yml:1: the document must be a mapping"),
    (
        "unknown key",
        "name: x\ntransformation: []",
        "p0.yml:2: transformation: is no key of a pipeline; did you mean",
    ),
    ("key twice", "name: a\nname: b", "p0.yml:2: name: is given twice"),
    ("two documents", "name: a\n---\nname: b", "p0.yml:2: a second document"),
    ("no type", "transformations:\n- id: x", "p0.yml:2: transformations[0]: has no type; allowed: add_cond"),
    ("misspelt type", "transformations:\n- type: map_strin", "map_strin; did you mean 'map_string'?"),
    ("no list", "transformations: {type: case}", "must be a list of transformations"),
    ("missing parameter", "transformations:\n- type: map_string", "map_string needs mapping: a mapping of"),
    ("unknown parameter", "transformations:\n- {type: case, methods: x}", "(allowed: method)"),
    ("wrong choice", "transformations:\n- {type: case, method: title}", "must be one of lower, upper, snake"),
    ("wrong kind", "transformations:\n- {type: set_field, fields: 1}", "fields: must be a list of texts"),
    ("no truth value", "transformations:\n- {type: case, rule_cond_not: 2}", "one of true, false"),
    ("unknown linking", "transformations:\n- {type: case, rule_cond_op: xor}", "must be one of and, or"),
    (
        "unknown condition",
        "transformations:\n- type: case\n  rule_conditions:\n  - {type: logsources}",
        "p0.yml:4: transformations[0].rule_conditions[0]: must be a mapping whose type is one of contains_",
    ),
    (
        "expression without names",
        "transformations:\n- {type: case, rule_cond_expr: a, rule_conditions: [{type: is_sigma_rule}]}",
        "must be a mapping of names to conditions",
    ),
    (
        "expression of an unknown name",
        "transformations:\n- {type: case, rule_cond_expr: b, rule_conditions: {a: {type: is_sigma_rule}}}",
        "p0.yml:2: transformations[0]",
    ),
    (
        "nested",
        "transformations:\n- type: nest\n  items:\n  - type: nope",
        "p0.yml:4: transformations[0].items[0]",
    ),
    (
        "empty condition",
        "transformations:\n- {type: change_logsource}",
        "needs one of category, product, serv",
    ),
    ("no variable", "vars: {a: [{}]}", "vars.a: must be a text, a number, or a list of them"),
    ("priority", "priority: high", "priority: must be a whole number"),
    (
        "look-around",
        "transformations:\n- {type: replace_string, regex: '(?=x)', replacement: y}",
        "regex: the regular expression does not compile in linear time",
    ),
    (
        "look-around in a condition",
        "transformations:\n- type: case\n  field_name_conditions:\n"
        "  - {type: include_fields, fields: ['(?!x)'], mode: re}",
        "p0.yml:4: transformations[0].field_name_conditions[0].fields[0]",
    ),
    ("bad date", "name: 2001-99-99", "not YAML: month must be in 1..12"),
    (
        "name that is a condition",
        "transformations:\n- {type: add_condition, conditions: {a: b}, name: 'x or y'}",
        "name: must be the name of a selection",
    ),
]


@pytest.mark.parametrize(("text", "told"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_broken_pipeline_is_told_with_its_place(text: str, told: str) -> None:
    [first, *_] = problems(text)
    assert told in first
    assert first.startswith("p0.yml")


def test_all_problems_of_all_files_are_told_at_once() -> None:
    found = problems("transformations: [{type: a}, {type: b}]", "name: good", "nope: 1")
    assert [text.partition(":")[0] for text in found] == ["p0.yml", "p0.yml", "p2.yml"]


QUERY_ONLY = [
    "transformations: [{type: query_expression_placeholders, expression: '{field}'}]",
    "postprocessing: [{type: embed, prefix: a}]",
    "postprocessing: [{type: simple_template, template: '{rule.__class__}'}]",
    "finalizers: [{type: concat}]",
]


@pytest.mark.parametrize("text", QUERY_ONLY)
def test_what_only_a_query_can_hold_is_refused_with_the_way_out(text: str) -> None:
    [told] = problems(text)
    assert "quer" in told
    assert "; " in told or "leave it out" in told


def attacks(mark: Path) -> list[str]:
    code = f"open({str(mark)!r}, 'w').close()"
    jinja = "{{ cycler.__init__.__globals__.os.system('touch " + str(mark) + "') }}"
    helper = mark.parent / "helper.py"
    helper.write_text(f"{code}\nvars = {{}}\n", encoding="utf-8")
    return [
        f'finalizers: [{{type: template, template: "{jinja}"}}]',
        f'finalizers: [{{type: template, template: x, vars: "{helper}", allow_template_vars: true}}]',
        f'postprocessing: [{{type: template, template: "{jinja}"}}]',
        f'postprocessing: [{{type: template, template: x, vars: "{helper}"}}]',
        f'transformations: [{{type: add_condition, conditions: {{f: "{jinja}"}}, template: true}}]',
        'transformations: [{type: add_condition, conditions: {f: "${product.__class__}"}, template: true}]',
        f'transformations: [{{type: rule_failure, message: "{jinja}"}}]',
        f'transformations: [{{type: map_string, mapping: {{a: "{jinja}"}}}}]',
        f"transformations: [{{type: command_placeholders, cmd: [touch, '{mark}']}}]",
        f"transformations: [{{type: command_placeholders, cmd: 'touch {mark}'}}]",
        f"transformations: [{{type: command_placeholders, cmd: [touch, '{mark}'], "
        "allow_external_sources: true}]",
        f"transformations: [{{type: nest, items: [{{type: command_placeholders, cmd: [touch, '{mark}']}}]}}]",
        "transformations: [{type: field_name_transform, transform_func: os.system}]",
        f"transformations: !!python/object/apply:os.system ['touch {mark}']",
        f"vars: {{a: !!python/object/apply:os.system ['touch {mark}']}}",
        "transformations: [{type: case, rule_conditions: "
        "[{type: rule_attribute, attribute: __class__, value: x}]}]",
        "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nvars: *c",
        "vars: &v {a: b}\ntransformations: [{type: map_string, mapping: *v}]",
        "[" * 5000,
        "vars: " + "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
        "name: " + "x" * MAX_TEXT,
        "transformations:\n" + "- {type: case}\n" * 1001,
    ]


def test_a_hostile_pipeline_runs_nothing_and_opens_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # pySigma's own switch must not matter either.
    monkeypatch.setenv("PYSIGMA_ALLOW_EXTERNAL_SOURCES", "1")
    mark = tmp_path / "was-here"
    rule = RuleDocument("r.yml", RULE)
    for text in attacks(mark):
        try:
            loaded = RuleSet.load([rule], {"p": ["a"]}, load(text))
        except ConfigurationError as error:
            assert error.problems
        else:
            assert loaded.rules or loaded.refusals
        assert not mark.exists(), text


def test_the_fingerprint_tells_pipelines_apart() -> None:
    one, other = "vars: {p: [a]}", "vars: {p: [b]}"
    assert load().fingerprint() == ""
    assert load(one).fingerprint() == load(one).fingerprint() != load(other).fingerprint()
    assert load(one, other).fingerprint() != load(other, one).fingerprint()


def test_the_fingerprint_has_the_values_from_outside() -> None:
    document = PipelineDocument("p.yml", "transformations: [{type: file_placeholders, path: /x}]")
    prints = {Pipelines.load([document], lambda _, text=text: text).fingerprint() for text in ("a", "b")}
    assert len(prints) == 2


FORMATS: list[tuple[str, str, list[str]]] = [
    ("", "a\n\n  b \n", ["a", "b"]),
    (", filter: '^a'", "a1\nb\na2", ["a1", "a2"]),
    (", format: csv, csv_column: name", "id,name\n1,a\n2,b\n", ["a", "b"]),
    (", format: csv, csv_column: 1, csv_has_header: false", "1,a\n2,b\n", ["a", "b"]),
    (
        ", format: json, jq_expression: '.items[].name'",
        '{"items": [{"name": "a"}, {"name": "b"}]}',
        ["a", "b"],
    ),
]


@pytest.mark.parametrize(("options", "text", "values"), FORMATS)
def test_values_from_outside_fill_placeholders(options: str, text: str, values: list[str]) -> None:
    asked: list[Source] = []

    def fetch(source: Source) -> str:
        asked.append(source)
        return text

    document = PipelineDocument("p", f"transformations: [{{type: file_placeholders, path: /x{options}}}]")
    loaded = RuleSet.load([RuleDocument("r.yml", RULE)], None, Pipelines.load([document], fetch))
    assert [source.what for source in asked] == [("/x",)]
    assert loaded.refusals == ()
    [rule] = loaded.rules
    assert [str(value) for value in rule.condition.values] == values  # pyright: ignore[reportAttributeAccessIssue]


USELESS: list[tuple[str, str, str]] = [
    ("", "", "gives 0 values"),
    (", format: json, jq_expression: .x", "{", "cannot be read"),
    (", format: json, jq_expression: .x", "[" * 100_000, "cannot be read"),
    (", format: json, jq_expression: 'range(infinite)'", "{}", "as a path only"),
    (", format: csv", "a,b", "csv_column"),
    ("", "a\n" * 10_001, "gives 10001 values"),
]


@pytest.mark.parametrize(("options", "text", "told"), USELESS)
def test_an_answer_without_usable_values_refuses_the_pipeline(options: str, text: str, told: str) -> None:
    document = PipelineDocument("p", f"transformations: [{{type: file_placeholders, path: /x{options}}}]")
    with pytest.raises(ConfigurationError, match=told):
        Pipelines.load([document], lambda _: text)


def test_a_source_that_fails_refuses_the_pipeline_at_its_line() -> None:
    def fetch(source: Source) -> str:
        raise SourceError(f"{source.name} is away")

    document = PipelineDocument("p.yml", "name: x\ntransformations:\n- {type: file_placeholders, path: /x}")
    with pytest.raises(ConfigurationError, match=r"p\.yml:3: transformations\[0\]: /x is away"):
        Pipelines.load([document], fetch)


def test_sources_are_off_and_the_refusal_says_where_they_are_allowed() -> None:
    [told] = problems("transformations: [{type: http_placeholders, url: 'http://127.0.0.1:9/x'}]")
    assert "are off: http://127.0.0.1:9/x" in told
    assert "detection.placeholder_sources.http" in told
