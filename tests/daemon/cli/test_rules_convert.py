"""`rules convert`: a query for each rule that the target can express, a reason for each that it cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.ecs.event import event_document
from connectors.ecs.raw_names import RAW_NAMES
from connectors.sources.catalogue import KINDS, profile
from connectors.sources.envelope import unpack
from daemon.conversion import Converter, Query
from daemon.rule_library import Library
from daemon.search_regex import lucene_regex
from detectors.rules import builtin
from detectors.sigma.document import RuleDocument, UnsupportedConstructError
from detectors.sigma.pipeline.document import PipelineDocument
from detectors.sigma.pipeline.pipelines import Pipelines

A = "5f0d6c58-30fb-4b0c-9d9e-6f6b7a0d9a01"
B = "5f0d6c58-30fb-4b0c-9d9e-6f6b7a0d9a02"
HEAD = "logsource: {product: aws, service: cloudtrail}\nlevel: high\n"
SAMPLES = Path(__file__).parents[2] / "connectors" / "sources" / "data"


def rule(selection: str, rule_id: str = A, head: str = HEAD) -> str:
    return f"title: t\nid: {rule_id}\n{head}detection: {{s: {selection}, condition: s}}\n"


def convert(text: str, target: Any, names: Any = "ecs", pipeline: str = "", rule_id: str = A) -> str:
    """Return the query, or `refused: ` and the reason."""
    given = [PipelineDocument("p.yml", pipeline)] if pipeline else []
    library = Library.of([RuleDocument("r.yml", text)])
    backend = Pipelines.load(given).for_backend()
    made = Converter(library, target, names, Pipelines.load(given), backend).convert(rule_id)
    return made.query if isinstance(made, Query) else f"refused: {made.reason}"


QUERIES: list[tuple[Any, Any, str]] = [
    ("lucene", "ecs", "event.action:StopLogging AND aws.cloudtrail.request_parameters:*main*"),
    ("opensearch", "ecs", "event.action:StopLogging AND aws.cloudtrail.request_parameters:*main*"),
    (
        "esql",
        "ecs",
        "from logs-davylamp.events-* metadata _id, _index, _version | where "
        'event.action=="StopLogging" and aws.cloudtrail.request_parameters like "*main*"',
    ),
    ("splunk", "raw", 'eventName="StopLogging" requestParameters="*main*"'),
    ("lucene", "raw", "eventName:StopLogging AND requestParameters:*main*"),
]


@pytest.mark.parametrize(("target", "names", "query"), QUERIES)
def test_each_target_has_its_query(target: Any, names: Any, query: str) -> None:
    assert convert(rule("{eventName: StopLogging, requestParameters|contains: main}"), target, names) == query


def test_a_network_is_asked_of_the_address() -> None:
    text = rule("{sourceIPAddress|cidr: 10.0.0.0/8}")
    assert convert(text, "lucene") == r"source.ip:10.0.0.0\/8"
    assert convert(rule("{sourceIPAddress: 10.0.0.1}"), "lucene") == "source.address:10.0.0.1"


def test_a_short_name_of_the_source_is_the_documents_name() -> None:
    assert convert(rule("{event.action: StopLogging}"), "lucene") == "event.action:StopLogging"


def test_below_a_body_every_field_can_be_asked_for_but_not_in_esql() -> None:
    text = rule("{requestParameters.bucketName: a}")
    assert convert(text, "lucene") == "aws.cloudtrail.flattened.request_parameters.bucketName:a"
    assert "ES|QL does not read fields of the type flattened" in convert(text, "esql")


def test_a_field_that_no_template_indexes_is_refused() -> None:
    head = "logsource: {product: kubernetes, service: audit}\n"
    assert "do not index the field" in convert(
        rule("{requestObject.spec.hostPID: true}", head=head), "lucene"
    )


def test_a_slash_in_a_fields_name_is_escaped_for_lucene() -> None:
    head = "logsource: {product: kubernetes, service: audit}\n"
    text = rule("{'annotations.authorization.k8s.io/decision': allow}", head=head)
    assert convert(text, "lucene") == r"kubernetes.audit.annotations.authorization_k8s_io\/decision:allow"
    assert "`kubernetes.audit.annotations.authorization_k8s_io/decision`" in convert(text, "esql")


EXPRESSIONS: list[tuple[str, str]] = [
    ("a", ".*a.*"),
    ("^a", "a.*"),
    ("a$", ".*a"),
    ("^a$", "a"),
    ("a|b", ".*(a|b).*"),
    ("(?:a|b)+", ".*(a|b)+.*"),
    (r"^arn:aws:iam::\d+:root$", r"arn:aws:iam::\d+:root"),
    ("[?&]version=", ".*[?&]version=.*"),
    ("a@b<c>#", r".*a\@b\<c\>\#.*"),
    (r"\$x", r".*\$x.*"),
]


@pytest.mark.parametrize(("expression", "whole"), EXPRESSIONS)
def test_an_expression_that_searches_becomes_one_for_the_whole_value(expression: str, whole: str) -> None:
    assert lucene_regex(expression) == whole


@pytest.mark.parametrize(
    "text", ["a^b", "a$b", "^a|b", r"\ba", "(?i)a", "(?=a)b", r"\x41", "[[:alpha:]]", "[]a]", "a\\"]
)
def test_an_expression_that_lucene_reads_otherwise_is_refused(text: str) -> None:
    with pytest.raises(UnsupportedConstructError, match="Lucene's regular expressions have no"):
        lucene_regex(text)


def test_expressions_stay_as_they_are_for_splunk() -> None:
    assert 'regex eventName="^a"' in convert(rule("{eventName|re: ^a}"), "splunk", "raw")
    assert convert(rule("{eventName|re: ^a}"), "lucene") == "event.action:/a.*/"
    assert convert(rule("{eventName|re|i: ^a}"), "lucene").startswith("refused: ")


REFUSED: list[tuple[str, Any, str, str]] = [
    (
        "no field",
        "lucene",
        rule("{noSuchThing: a}"),
        "the ECS document of cloudtrail has no field for 'noSuchThi",
    ),
    (
        "no source",
        "lucene",
        rule("{f: a}", head="logsource: {product: windows}\n"),
        "none of Davylamp's sources",
    ),
    (
        "several sources",
        "lucene",
        rule("{f: a}", head="logsource: {definition: x, category: x}\n"),
        "none of",
    ),
    ("placeholder", "esql", rule("{eventName|expand: '%x%'}"), "cannot be expressed for esql"),
    ("fieldref", "lucene", rule("{eventName|fieldref: eventSource}"), "cannot be expressed for lucene"),
    (
        "array block",
        "esql",
        rule("{'resources[any]': {type: a}}", head=f"{HEAD}sigma-version: 3\n"),
        "array blocks",
    ),
]


@pytest.mark.parametrize(
    ("target", "text", "told"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_what_cannot_be_expressed_is_refused_with_the_reason(target: Any, text: str, told: str) -> None:
    assert told in convert(text, target)


CORRELATION = f"""{rule("{eventName: ConsoleLogin}")}
---
title: many
id: {B}
correlation: {{type: TYPE, rules: [{A}], group-by: [userIdentity.arn], timespan: 10m, condition: CONDITION}}
"""


def correlation(kind: str, condition: str) -> str:
    return CORRELATION.replace("TYPE", kind).replace("CONDITION", condition)


def test_a_correlation_has_its_number_and_its_fields_where_the_target_knows_correlations() -> None:
    text = correlation("event_count", "{gte: 5}")
    found = convert(text, "esql", rule_id=B)
    assert 'event.action=="ConsoleLogin"' in found
    assert "by timebucket, aws.cloudtrail.user_identity.arn" in found
    assert found.endswith("where event_count >= 5")
    assert "cannot be expressed for lucene" in convert(text, "lucene", rule_id=B)


@pytest.mark.parametrize("condition", ["{gte: 0.5, field: a}", "{gte: 2, lte: 5, field: a}"])
def test_a_condition_that_pysigma_would_change_is_refused(condition: str) -> None:
    text = correlation("event_count", condition).replace("event_count", "value_avg")
    assert convert(text, "esql", "raw", rule_id=B).startswith("refused: ")


def test_a_filter_is_in_the_query() -> None:
    known = f"title: f\nid: {B}\n{HEAD}filter: {{rules: [{A}], x: {{eventSource: y}}, condition: not x}}\n"
    found = convert(f"{rule('{eventName: a}')}---\n{known.replace('level: high', '')}", "lucene")
    assert found == "event.action:a AND (NOT event.provider:y)"


def test_a_pipeline_is_in_the_query_and_may_name_the_index() -> None:
    steps = """transformations:
- {type: field_name_mapping, mapping: {eventName: action}}
- {type: set_state, key: index, val: trail-*}
"""
    found = convert(rule("{eventName: a}"), "esql", "raw", steps)
    assert found.startswith("from trail-* ")
    assert found.endswith('where action=="a"')


def test_a_pipeline_that_leaves_nothing_of_a_rule_makes_no_query() -> None:
    steps = "transformations: [{type: map_string, mapping: {a: []}}]"
    assert "no value is left" in convert(rule("{eventName: a}"), "lucene", "raw", steps)


@pytest.mark.parametrize("target", ["esql", "lucene", "opensearch", "splunk"])
def test_every_shipped_rule_is_converted_or_refused_by_name(target: Any) -> None:
    library = Library.of(builtin())
    names = "raw" if target == "splunk" else "ecs"
    converter = Converter(library, target, names, Pipelines(), Pipelines().for_backend())
    made = {rule_id: converter.convert(rule_id) for rule_id in library.found}
    queries = [one for one in made.values() if isinstance(one, Query)]
    assert len(queries) >= 15
    assert all(one.query.strip() for one in queries)
    assert all(isinstance(one, Query) or (one.reason and one.way_out and one.line) for one in made.values())


def leaf(document: Mapping[str, Any], path: str) -> Any:
    found: Any = document
    for part in path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def paths(record: Any, prefix: str = "") -> dict[str, Any]:
    """Return every text and number of a record that no list stands above."""
    found: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, dict):
            found |= paths(value, f"{prefix}{key}.")
        elif isinstance(value, str | int) and "." not in key:
            found[f"{prefix}{key}"] = value
    return found


def test_the_document_holds_under_its_name_what_the_record_holds() -> None:
    """The table is held against the documents themselves, over all sample events."""
    checked: set[tuple[str, str]] = set()
    for kind in KINDS:
        for line in (SAMPLES / f"{kind}.jsonl").read_bytes().splitlines():
            record = orjson.dumps(orjson.loads(line)["record"])
            for event in unpack(record, profile(kind), "t", 0, 0).events:
                document = event_document(event, "n", 0.0).body
                key = "ztunnel" if "src" in event.fields and kind == "istio_access" else kind
                for path, value in paths(event.fields).items():
                    name = RAW_NAMES[key].document_name(path)
                    held = None if name is None else leaf(document, name)
                    if name is None or held is None or name in ("@timestamp", "user.name"):
                        continue
                    if isinstance(held, str) and "REDACTED" in held.upper():
                        continue
                    checked.add((key, path))
                    assert str(held).casefold() in str(value).casefold() or str(value) in str(held), (
                        path,
                        name,
                    )
    assert len(checked) > 60
    assert {key for key, _ in checked} >= set(KINDS)


def test_the_command_prints_queries_and_reasons_and_ends_with_1_for_a_refusal(
    command: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "good.yml").write_text(rule("{eventName: a}"), encoding="utf-8")
    (folder / "other.yml").write_text(rule("{noSuchThing: a}", B), encoding="utf-8")
    done = command("rules", "convert", folder, "--to", "lucene")
    assert done.returncode == 1
    assert done.stdout == "event.action:a\n"
    assert f"{folder}/other.yml:1: the ECS document" in done.stderr
    assert "Convert it with --fields raw" in done.stderr
    assert "1 converted, 1 refused" in done.stderr
    raw = command("rules", "convert", folder, "--to", "lucene", "--fields", "raw", "--json")
    assert raw.returncode == 0
    document = orjson.loads(raw.stdout)
    assert [query["query"] for query in document["queries"]] == ["eventName:a", "noSuchThing:a"]
    assert (document["target"], document["fields"], document["refused"]) == ("lucene", "raw", [])


def test_a_broken_rule_file_is_reported_and_the_others_are_converted(command: Any, tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(rule("{eventName: a}"), encoding="utf-8")
    (tmp_path / "b.yml").write_text(rule("{eventName|nope: a}", B), encoding="utf-8")
    done = command("rules", "convert", tmp_path / "a.yml", tmp_path / "b.yml", "--to", "lucene", "--json")
    assert done.returncode == 1
    document = orjson.loads(done.stdout)
    assert len(document["queries"]) == 1
    assert "nope" in document["refused"][0]["reason"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nothing", "--to", "lucene"), "no rule is called 'nothing' by id, name or file"),
        (
            ("trail_stopped", "--to", "lucene", "--pipeline", "nope"),
            "is no file and no pipeline of a backend",
        ),
        (("trail_stopped", "--to", "lucene", "--pipeline", "gone.yml"), "gone.yml: cannot be read"),
        (("trail_stopped", "--to", "sql"), "'sql' is not one of"),
    ],
)
def test_what_is_not_there_is_a_usage_error(command: Callable[..., Any], words: Any, told: str) -> None:
    done = command("rules", "convert", *words)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_pipeline_of_an_installed_backend_goes_by_its_name(command: Callable[..., Any]) -> None:
    done = command("rules", "convert", "trail_stopped", "--to", "lucene", "--pipeline", "ecs_kubernetes")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("eventSource:cloudtrail.amazonaws.com AND ")


def test_a_class_stands_in_the_query_with_its_members(command, tmp_path) -> None:
    path, site = tmp_path / "rule.yml", tmp_path / "inventory.yaml"
    selection = "{eventName: StopLogging, userIdentity.arn|expand: '%aws_iac_roles%'}"
    path.write_text(rule(selection))
    site.write_text("aws_iac_roles: ['arn:aws:iam::*:role/builder']\n")
    done = command("rules", "convert", "--to", "lucene", path)
    assert done.returncode == 0 and "davylamp\\:nobody" in done.stdout
    done = command("rules", "convert", "--to", "lucene", "--inventory", site, path)
    assert done.returncode == 0 and "role\\/builder" in done.stdout
