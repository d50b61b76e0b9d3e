"""`davylamp rules check`: what loads, what is refused, what is blind before any event, what is no rule."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from connectors.sources.catalogue import KINDS, profile
from connectors.sources.record_names import RECORD_NAMES
from daemon.cli.blind_load import AUDIT_LEVELS, RecordPaths, blind_at_load
from daemon.cli.rules import rules
from detectors.rules import builtin
from detectors.rules.cases import builtin_cases
from detectors.sigma.document import RuleDocument
from detectors.sigma.rule import routes
from detectors.sigma.ruleset import RuleSet

RULE = """title: {title}
id: 11111111-1111-4111-8111-{number:012d}
name: rule_{number}
logsource: {{{source}}}
detection:
  s: {detection}
  condition: {condition}
"""
AWS = "product: aws, service: cloudtrail"
KUBERNETES = "product: kubernetes, service: audit"


def text(number: int, source: str, detection: str, condition: str = "s") -> str:
    title = f"rule {number}"
    return RULE.format(title=title, number=number, source=source, detection=detection, condition=condition)


def check(*arguments: object) -> Result:
    return CliRunner().invoke(rules, ["check", "--no-builtin", *map(str, arguments)])


def blind(document: str, level: str = "RequestResponse", kinds: tuple[str, ...] = KINDS) -> list[str]:
    loaded = RuleSet.load([RuleDocument("r.yml", document)])
    assert loaded.refusals == ()
    return [item.reason for item in blind_at_load(loaded, kinds, level)]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (text(1, AWS, "{eventName: A}"), None),
        (text(1, AWS, "{requestParameters.anything.below: A}"), None),
        (text(1, AWS, "{Image: A}"), "no record of cloudtrail has Image"),
        (text(1, AWS, "{eventName: A, Image: B}"), "no record of cloudtrail has Image"),
        (text(1, AWS, "[{eventName: A}, {Image: B}]"), None),
        (text(1, AWS, "{Image: B}", "not s"), None),
        (text(1, AWS, "{Image: null}"), None),
        (text(1, AWS, "[evil]"), None),
        (
            text(1, "product: windows, category: process_creation", "{Image: A}"),
            "no source answers the log source product=windows category=process_creation",
        ),
        (text(1, "category: webserver", "{anything: A}"), None),
    ],
)
def test_a_rule_that_no_record_can_satisfy_is_blind(document: str, reason: str | None) -> None:
    assert blind(document) == ([] if reason is None else [reason])


@pytest.mark.parametrize(
    ("field", "level", "is_blind"),
    [
        ("requestObject.spec.hostNetwork", "Metadata", True),
        ("requestObject.spec.hostNetwork", "Request", False),
        ("responseObject.status", "Request", True),
        ("responseObject.status", "RequestResponse", False),
        ("verb", "Metadata", False),
    ],
)
def test_a_rule_that_needs_bodies_is_blind_at_a_level_without_them(
    field: str, level: str, is_blind: bool
) -> None:
    found = blind(text(1, KUBERNETES, f"{{{field}: a}}"), level)
    assert found == ([f"kubernetes_audit at level {level} keeps no {field}"] if is_blind else [])


def test_only_the_sources_that_are_there_answer() -> None:
    document = text(1, AWS, "{eventName: A}")
    assert blind(document, kinds=("cloudtrail",)) == []
    assert blind(document, kinds=("vault_audit",)) == [
        "no source answers the log source product=aws service=cloudtrail"
    ]


def test_a_correlation_of_blind_rules_is_blind() -> None:
    correlation = (
        "---\ntitle: many\nid: 22222222-2222-4222-8222-222222222222\ncorrelation: "
        "{type: event_count, rules: [rule_1], timespan: 1h, condition: {gte: 2}}\n"
    )
    reasons = blind(text(1, AWS, "{Image: A}") + correlation)
    assert reasons == ["no record of cloudtrail has Image", "rules it needs are blind: rule 1"]


def test_no_shipped_rule_is_blind_with_bodies() -> None:
    assert blind_at_load(RuleSet.load(builtin()), KINDS, AUDIT_LEVELS[-1]) == []


def test_the_events_of_shipped_rules_have_no_name_that_is_not_known() -> None:
    by_path = {rule.identity.path: rule for rule in RuleSet.load(builtin()).rules}
    looked_at = 0
    for document in builtin():
        rule = by_path.get(document.path)
        if rule is None:
            continue
        for kind in RECORD_NAMES:
            if not routes(rule.logsource, profile(kind)):
                continue
            cases = builtin_cases(document)
            for record in (one for case in (*cases.match, *cases.no_match) for one in case):
                assert set(record) <= RECORD_NAMES[kind], (document.path, kind)
                looked_at += 1
    assert looked_at > 100


def test_paths_of_a_mesh_may_have_any_name() -> None:
    assert "anything" in RecordPaths("istio_access", "Metadata")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository of rules with all that stands beside rules."""
    folder = tmp_path / "checkout"
    files = {
        "rules/good.yml": text(1, AWS, "{eventName: A}"),
        "rules/bad.yml": text(2, AWS, "{eventName|nope: A}"),
        "rules/windows.yml": text(3, "product: windows", "{Image: A}"),
        "pipelines/p.yml": "name: p\ntransformations: [{id: a, type: drop_detection_item}]\n",
        "ci/build.yml": "name: b\non: push\njobs: {}\n",
        "tests/info.yml": "id: x\nregression_tests_info: []\n",
        "rules/good.test.yml": "events: []\n",
        "mkdocs.yml": "site_name: x\n",
        ".github/workflows/w.yml": "on: push\njobs: {}\n",
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def test_a_checkout_is_told_apart_and_counted(checkout: Path) -> None:
    done = check("--rules", checkout)
    assert done.exit_code == 1
    lines = done.output.splitlines()
    assert f"{checkout}/rules/bad.yml:6: " in lines[0]
    assert "not rules: 2 tests of rules" in lines
    assert {"not rules: 1 pipelines", "not rules: 1 workflows", "not rules: 1 other YAML"} <= set(lines)
    assert "blind: 1: no source answers the log source product=windows" in lines
    assert lines[-1] == "2 rules, 0 correlations, 1 refused, 1 blind"


def test_json_names_every_document(checkout: Path) -> None:
    done = check("--rules", checkout, "--json")
    told: dict[str, Any] = orjson.loads(done.output)
    [refusal] = told["refusals"]
    assert refusal["file"] == f"{checkout}/rules/bad.yml"
    assert (refusal["line"], refusal["id"]) == (6, "11111111-1111-4111-8111-000000000002")
    assert "nope" in refusal["reason"]
    assert refusal["way_out"]
    assert [item["id"][-1] for item in told["blind"]] == ["3"]
    assert len(told["others"]) == 5


def test_blind_rules_are_named_when_asked(checkout: Path) -> None:
    done = check("--rules", checkout, "--blind")
    assert "blind: 11111111-1111-4111-8111-000000000003  rule 3: no source answers" in done.output


def test_archives_files_and_folders_go_together(checkout: Path, tmp_path: Path) -> None:
    archive = tmp_path / "more.tgz"
    with tarfile.open(archive, "w:gz") as packed:
        (tmp_path / "more.yml").write_text(text(7, AWS, "{eventName: B}"), encoding="utf-8")
        packed.add(tmp_path / "more.yml", "more.yml")
    single = tmp_path / "single.yml"
    single.write_text(text(8, AWS, "{eventName: C}"), encoding="utf-8")
    done = check("--rules", checkout / "rules" / "good.yml", "--rules", archive, "--rules", single)
    assert (done.exit_code, done.output) == (0, "3 rules, 0 correlations, 0 refused\n")


def test_a_duplicate_id_is_an_error(checkout: Path) -> None:
    (checkout / "rules" / "again.yml").write_text(text(1, AWS, "{eventName: Z}"), encoding="utf-8")
    done = check("--rules", checkout / "rules" / "good.yml", "--rules", checkout / "rules" / "again.yml")
    assert done.exit_code == 1
    assert f"is taken by {checkout}/rules/good.yml:1" in done.output
