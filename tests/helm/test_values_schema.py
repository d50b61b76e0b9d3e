"""values.schema.json: made from the settings model, current, and strict."""

import json
import runpy

import helm_python as helm
import pytest
import yaml
from crds.chart import CHART, combinations, given, merged

from config.settings import Settings

SCRIPT = CHART.parent / "values_schema.py"
COMBINATIONS = combinations()


def script():
    return runpy.run_path(str(SCRIPT))


def refused(changed):
    with helm.Chart.load(str(CHART)) as chart, pytest.raises(helm.HelmValuesError) as error:
        chart.validate_schema(merged(given("production"), changed))
    return str(error.value)


def test_the_schema_is_current():
    written = (CHART / "values.schema.json").read_text()
    assert written == script()["text"](), "run: .venv/bin/python helm/values_schema.py"


def test_every_setting_of_the_model_is_in_the_schema():
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert set(schema["properties"]["config"]["properties"]) == set(Settings.model_fields)


def test_every_object_of_ours_is_closed():
    def open_objects(node, path):
        if isinstance(node, dict):
            if "properties" in node and "additionalProperties" not in node and "allOf" not in path:
                yield path
            for key, value in node.items():
                yield from open_objects(value, (*path, key))
        elif isinstance(node, list):
            for index, value in enumerate(node):
                yield from open_objects(value, (*path, index))

    assert list(open_objects(script()["values_schema"](), ())) == []


def test_every_value_has_its_place_in_the_schema_and_its_comment():
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert set(values) == set(schema["properties"]) - {"global"}
    with helm.Chart.load(str(CHART)) as chart:
        chart.validate_schema(values)


@pytest.mark.parametrize("name", COMBINATIONS)
def test_every_combination_passes_the_schema(name):
    with helm.Chart.load(str(CHART)) as chart:
        chart.validate_schema(COMBINATIONS[name])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"replicaCount": 2}, "replicaCount"),
        ({"roles": {"detekt": {}}}, "detekt"),
        ({"roles": {"detect": {"replicas": "two"}}}, "replicas"),
        ({"roles": {"detect": {"replicas": 0}}}, "replicas"),
        ({"database": {"kind": "mysql"}}, "kind"),
        ({"config": {"kafka": {"borkers": ["x"]}}}, "borkers"),
        ({"config": {"kafka": {"security_protocol": "TLS"}}}, "security_protocol"),
        ({"config": {"response": {"mode": "yolo"}}}, "mode"),
        ({"config": {"vault": {"token": {"value": "s.secret"}}}}, "value"),
        ({"config": {"web": {"approvers": [{"name": "ada", "token_sha256": "short"}]}}}, "token_sha256"),
        ({"config": {"forwarding": {"targets": [{"kind": "splunk"}]}}}, "targets"),
        ({"image": {"digest": "sha256:123"}}, "digest"),
        ({"rules": {"files": {"../x.yml": "a"}}}, "x.yml"),
        ({"playbooks": {"files": {"page.txt": "a"}}}, "page.txt"),
        ({"keda": {"lagThreshold": 0}}, "lagThreshold"),
        ({"serviceMonitor": {"interval": "half a minute"}}, "interval"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_wrong_values_are_refused_by_name(changed, said):
    assert said in refused(changed)


def test_a_secret_by_value_is_not_repeated_in_the_refusal():
    assert "s.secret" not in refused({"config": {"vault": {"token": {"value": "s.secret"}}}})
