"""The chart lints and renders, the Dockerfile lints (Helm's own engine and hadolint, both as wheels)."""

import shutil
import subprocess
import sys
from pathlib import Path

import helm_python as helm
import pytest
import yaml

from config.settings import ROLES, Settings

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "davylamp"


def render(**values) -> list[dict]:
    with helm.Chart.load(str(CHART)) as chart:
        files = chart.render(values=values, name="rel", namespace="sec")
    return [doc for text in files.values() for doc in yaml.safe_load_all(text) if doc]


def test_the_chart_lints_strictly():
    report = helm.lint(str(CHART), strict=True, kube_version="v1.30.0")
    assert report["errors"] == []
    assert [m for m in report["messages"] if m["severity"] >= 2] == []


def test_each_role_is_a_deployment_with_its_own_secret_only():
    secrets = {role: f"s-{role}" for role in ROLES}
    docs = render(roles={role: {"existingSecret": name} for role, name in secrets.items()})
    deployments = [d for d in docs if d["kind"] == "Deployment"]
    containers = [d["spec"]["template"]["spec"]["containers"][0] for d in deployments]
    seen = {c["args"][1]: [source["secretRef"]["name"] for source in c["envFrom"]] for c in containers}
    assert seen == {role: [name] for role, name in secrets.items()}


def test_the_configuration_in_the_chart_is_one_that_the_daemon_takes():
    config = next(d for d in render() if d["kind"] == "ConfigMap")
    Settings.model_validate(yaml.safe_load(config["data"]["config.yaml"]))


def test_several_responders_without_a_shared_database_are_refused():
    with pytest.raises(helm.HelmRenderError, match="needs PostgreSQL"):
        render(roles={"respond": {"replicas": 2}})


def test_the_dockerfile_lints():
    binary = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or "hadolint"
    done = subprocess.run([binary, str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
