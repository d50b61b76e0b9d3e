"""A rule that a pipeline cannot rewrite is refused like any other; the others load and keep their meaning."""

from __future__ import annotations

import pytest

from detectors.sigma.document import RuleDocument
from detectors.sigma.pipeline.document import PipelineDocument
from detectors.sigma.pipeline.pipelines import Pipelines
from detectors.sigma.ruleset import RuleSet

A = "11111111-1111-4111-8111-111111111111"
B = "22222222-2222-4222-8222-222222222222"


def rule(rule_id: str, detection: str, more: str = "") -> RuleDocument:
    text = f"title: t\nid: {rule_id}\nlogsource: {{product: aws}}\ndetection:\n  {detection}\n{more}"
    return RuleDocument(f"{rule_id[0]}.yml", text)


def load(pipeline: str, *rules: RuleDocument) -> RuleSet:
    return RuleSet.load(rules, None, Pipelines.load([PipelineDocument("p.yml", pipeline)]))


def test_a_refusal_names_the_rule_the_line_and_the_step() -> None:
    pipeline = """transformations:
- {type: rule_failure, message: no such data, rule_conditions: [{type: contains_field, field: f}]}
"""
    loaded = load(pipeline, rule(A, "{s: {f: a}, condition: s}"), rule(B, "{s: {g: a}, condition: s}"))
    [refusal] = loaded.refusals
    assert (refusal.path, refusal.rule_id) == ("1.yml", A)
    assert refusal.reason == "no such data (pipeline, p.yml:2: rule_failure)"
    assert refusal.way_out
    assert [item.id for item in loaded.rules] == [B]


NOTHING_LEFT: list[tuple[str, str, str]] = [
    ("values", "{type: map_string, mapping: {a: []}}", "no value is left of the field f"),
    ("items", "{type: drop_detection_item}", "nothing is left of the selection s"),
    (
        "items of one map of a list",
        "{type: drop_detection_item, field_name_conditions: [{type: include_fields, fields: [g]}]}",
        "nothing is left of the selection s",
    ),
]


@pytest.mark.parametrize(
    ("step", "told"), [row[1:] for row in NOTHING_LEFT], ids=[row[0] for row in NOTHING_LEFT]
)
def test_a_rule_of_which_nothing_is_left_is_refused(step: str, told: str) -> None:
    loaded = load(f"transformations: [{step}]", rule(A, "{s: [{f: a}, {g: b}], condition: s}"))
    assert loaded.rules == ()
    assert loaded.refusals[0].reason.startswith(told)


def test_a_list_that_was_empty_before_stays_as_it_is() -> None:
    given = rule(A, "{s: {f: []}, condition: s}")
    renamed = load("transformations: [{type: field_name_mapping, mapping: {f: [g, h]}}]", given)
    assert len(renamed.rules) + len(renamed.refusals) == 1
    assert "pipeline" not in "".join(map(str, renamed.refusals))


def test_a_selection_cannot_take_the_place_of_an_added_condition() -> None:
    pipeline = "transformations: [{type: add_condition, conditions: {env: prod}, name: _added}]"
    loaded = load(pipeline, rule(A, "{_added: {f: a}, condition: _added}"))
    assert loaded.rules == ()
    assert "_added" in loaded.refusals[0].reason


def test_one_rule_leaves_nothing_behind_for_the_next() -> None:
    """State, applied steps and mappings are of one rule."""
    pipeline = """transformations:
- {type: set_state, key: k, val: 1, rule_conditions: [{type: contains_field, field: f}]}
- {type: field_name_prefix, prefix: seen., rule_conditions: [{type: processing_state, key: k, val: 1}]}
"""
    loaded = load(pipeline, rule(A, "{s: {f: a}, condition: s}"), rule(B, "{s: {g: a}, condition: s}"))
    assert [item.condition.path for item in loaded.rules] == ["seen.f", "g"]  # pyright: ignore[reportAttributeAccessIssue]


def test_a_regular_expression_of_a_pipeline_is_linear_on_hostile_rules() -> None:
    pipeline = "transformations: [{type: replace_string, regex: '(a+)+$', replacement: b}]"
    loaded = load(pipeline, rule(A, f"{{s: {{f: '{'a' * 40}!'}}, condition: s}}"))
    assert loaded.refusals == ()


def test_array_blocks_are_left_as_they_are() -> None:
    """Fields in a block are of an element, so no name of theirs is one that a pipeline means."""
    detection = "{s: {f: a, 'containers[any]': {f: b}}, condition: s}"
    pipeline = "transformations: [{type: field_name_prefix, prefix: x.}, {type: case, method: upper}]"
    given = rule(A, detection, "sigma-version: 3\n")
    [changed] = load(pipeline, given).rules
    [plain] = RuleSet.load([given]).rules
    assert repr(changed.condition) != repr(plain.condition)
    assert "'x.f'" in repr(changed.condition)
    assert "x.containers" not in repr(changed.condition)


def test_a_correlation_takes_a_step_for_the_log_source_of_its_rules() -> None:
    pipeline = """transformations:
- {type: field_name_mapping, mapping: {user: who}, rule_conditions: [{type: logsource, product: aws}]}
"""
    correlation = f"""title: many
id: {B}
correlation: {{type: event_count, rules: [{A}], group-by: [user], timespan: 1m, condition: {{gte: 2}}}}
"""
    loaded = load(pipeline, rule(A, "{s: {user: a}, condition: s}"), RuleDocument("c.yml", correlation))
    assert loaded.refusals == ()
    assert loaded.correlations[0].group_by == ("who",)


def test_one_field_of_a_correlation_cannot_become_two() -> None:
    pipeline = "transformations: [{type: field_name_mapping, mapping: {host: [a, b]}}]"
    correlation = f"""title: many
id: {B}
correlation: {{type: value_count, rules: [{A}], timespan: 1m, condition: {{field: host, gte: 2}}}}
"""
    loaded = load(pipeline, rule(A, "{s: {user: a}, condition: s}"), RuleDocument("c.yml", correlation))
    assert loaded.correlations == ()
    assert loaded.refusals[0].path == "c.yml"
    assert "(pipeline, p.yml:1: field_name_mapping)" in loaded.refusals[0].reason


def test_a_step_that_does_not_fit_a_rule_refuses_the_rule_and_raises_nothing() -> None:
    pipeline = """transformations:
- {type: case, rule_conditions: [{type: rule_attribute, attribute: detection, value: x}]}
"""
    loaded = load(pipeline, rule(A, "{s: {f: a}, condition: s}"))
    assert "Unsupported type" in loaded.refusals[0].reason


def filtered(pipeline: str, logsource: str) -> RuleSet:
    filter_text = f"""title: f
id: {B}
logsource: {logsource}
filter: {{rules: [{A}], x: {{user: kim}}, condition: not x}}
"""
    given = rule(A, "{s: {f: a}, condition: s}")
    given = RuleDocument(
        given.path, given.text.replace("{product: aws}", "{product: aws, service: cloudtrail}")
    )
    return load(pipeline, given, RuleDocument("f.yml", filter_text))


BY_SOURCE = """transformations:
- {type: field_name_prefix, prefix: x., rule_conditions: [{type: logsource, service: cloudtrail}]}
"""


def test_a_filter_of_the_same_log_source_is_rewritten_as_its_rule() -> None:
    loaded = filtered(BY_SOURCE, "{product: aws, service: cloudtrail}")
    assert loaded.refusals == ()
    assert "'x.user'" in repr(loaded.rules[0].condition)


@pytest.mark.parametrize(
    ("pipeline", "logsource"),
    [
        (BY_SOURCE, "{product: aws}"),
        (
            "transformations: [{type: nest, items: [{type: change_logsource, product: z, "
            "rule_conditions: [{type: logsource, service: cloudtrail}]}]}]",
            "{product: aws}",
        ),
        (
            "transformations: [{type: field_name_prefix, prefix: x., rule_conditions: "
            "[{type: contains_field, field: f}]}]",
            "{product: aws, service: cloudtrail}",
        ),
    ],
)
def test_a_filter_that_a_pipeline_would_take_for_another_rule_is_refused(
    pipeline: str, logsource: str
) -> None:
    loaded = filtered(pipeline, logsource)
    assert [refusal.path for refusal in loaded.refusals] == ["f.yml"]
    assert "a processing pipeline asks" in loaded.refusals[0].reason


def test_a_filter_of_a_wider_log_source_is_kept_where_no_step_asks_for_it() -> None:
    loaded = filtered("transformations: [{type: field_name_prefix, prefix: x.}]", "{product: aws}")
    assert loaded.refusals == ()
    assert "'x.user'" in repr(loaded.rules[0].condition)
