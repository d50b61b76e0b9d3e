"""What others' checkers say about the image, the chart and its alerts: checkov, and a PromQL parser."""

import json
import os
import re
import subprocess

import pytest
import yaml
from crds.chart import NAMESPACE, ROOT, combinations, given, merged, objects, of_kind

BIN = ROOT / ".chart" / "bin"
COMBINATIONS = combinations()
PINNED = {"image": {"registry": "registry.example.org", "digest": f"sha256:{'a' * 64}"}}
CHECKED = {"production": given("production"), "sqlite": merged(given("sqlite"), PINNED)}

pytestmark = pytest.mark.skipif(
    not (BIN / "checkov").exists() and not os.environ.get("CI"),
    reason="checkov and promql-parser are not installed: run make .chart/.made",
)


def failed_checks(*words: str) -> tuple[int, set[str], set[str]]:
    """Run checkov without its server; return how many checks passed, and what failed and was skipped."""
    command = [str(BIN / "checkov"), "--skip-download", "--compact", "-o", "json", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    answer = json.loads(done.stdout)
    results = answer["results"]
    named = {
        kind: {f"{check['check_id']} {check['resource']}" for check in results[f"{kind}_checks"]}
        for kind in ("failed", "skipped")
    }
    return answer["summary"]["passed"], named["failed"], named["skipped"]


@pytest.mark.claim(
    "checkov finds nothing wrong with the Dockerfile; the one skipped check gives its reason there",
    on=("checkov",),
)
def test_the_dockerfile_is_clean():
    passed, failed, skipped = failed_checks("--framework", "dockerfile", "-f", str(ROOT / "Dockerfile"))
    assert failed == set()
    assert passed > 10
    assert {name.split()[0] for name in skipped} == {"CKV_DOCKER_2"}


@pytest.mark.claim(
    "checkov finds nothing wrong with the chart's objects, on PostgreSQL and on SQLite", on=("checkov",)
)
@pytest.mark.parametrize("name", CHECKED)
def test_the_objects_are_clean(name, tmp_path):
    passed, failed, skipped = checked(objects(CHECKED[name]), tmp_path)
    assert failed == set()
    assert passed > 200
    pod = f"Pod.{NAMESPACE}.rel-davylamp-test"
    assert skipped == {f"CKV_K8S_8 {pod}", f"CKV_K8S_9 {pod}"}


@pytest.mark.claim(
    "the checkov test fails when a container may write to its root or becomes root", on=("checkov",)
)
def test_the_check_of_objects_can_fail(tmp_path):
    loose = {"securityContext": {"readOnlyRootFilesystem": False}, "podSecurityContext": {"runAsUser": 0}}
    _, failed, _ = checked(objects(merged(CHECKED["sqlite"], loose)), tmp_path)
    assert {"CKV_K8S_22", "CKV_K8S_40"} <= {name.split()[0] for name in failed}


def checked(found, folder):
    """Run checkov over objects, placed in the release's namespace as Helm would place them."""
    placed = [{**item, "metadata": {**item["metadata"], "namespace": NAMESPACE}} for item in found]
    (folder / "objects.yaml").write_text(yaml.dump_all(placed, Dumper=yaml.CSafeDumper))
    return failed_checks("--framework", "kubernetes", "-d", str(folder))


def selected(expressions: list[str]) -> list:
    """Return what each expression selects, by a real PromQL parser."""
    command = [str(BIN / "python"), str(ROOT / "tests" / "stack" / "crds" / "promql_selectors.py")]
    done = subprocess.run(command, input=json.dumps(expressions), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.claim(
    "every alert is right PromQL by promql-parser, and each selector is bound to the release",
    on=("promql", "helm"),
)
@pytest.mark.parametrize("name", ["production", "alerts_of_a_small_site"])
def test_every_alert_is_promql(name):
    (found,) = of_kind(COMBINATIONS[name], "PrometheusRule").values()
    rules = [rule for group in found["spec"]["groups"] for rule in group["rules"]]
    for rule, selectors in zip(rules, selected([rule["expr"] for rule in rules]), strict=True):
        assert isinstance(selectors, list) and selectors, f"{rule['alert']}: {selectors}"
        assert sorted(metric for metric, _ in selectors) == sorted(re.findall(r"\b(\w+)\{", rule["expr"]))
        assert all({"namespace", "job"} <= set(labels) for _, labels in selectors), rule["alert"]


@pytest.mark.claim(
    "the PromQL test refuses a missing bracket, a missing range and an unknown function",
    on=("promql", "helm"),
)
@pytest.mark.parametrize("expression", ["sum(up", "rate(up)", "rote(up[5m])"])
def test_the_check_of_promql_can_fail(expression):
    (answer,) = selected([expression])
    assert isinstance(answer, str)
