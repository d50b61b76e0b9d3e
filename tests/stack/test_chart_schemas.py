"""Every rendered object against real schemas: Kubernetes, KEDA, Istio, Prometheus, Flux."""

import copy
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from crds.chart import CHART, combinations, manifests, objects
from crds.definitions import KINDS, definitions
from crds.schemas import problems
from parts.part import PartMissingError

COMBINATIONS = combinations()
VERSIONS = ("1.30.0", "1.35.0")
OWN = [kind for kind in KINDS if kind != "HelmRelease"]


@pytest.fixture(scope="session")
def crds():
    try:
        return definitions()
    except PartMissingError as error:
        pytest.skip(f"definitions: {error}")


def validated(folder: Path, found: list[dict], version: str) -> str:
    """Return what kubernetes-validate says about `found` in strict mode, nothing when all is right."""
    file = folder / "objects.yaml"
    file.write_text(yaml.dump_all(found, Dumper=yaml.CSafeDumper))
    program = shutil.which("kubernetes-validate", path=str(Path(sys.executable).parent))
    assert program is not None
    command = [program, "-k", version, "--strict", "--no-warn", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.claim(
    "the chart's core objects pass Kubernetes' own schemas, unknown fields refused, in more than 20 sites",
    on=("schemas", "helm"),
)
@pytest.mark.parametrize("version", VERSIONS)
def test_core_objects_pass_the_strict_schemas(version, tmp_path):
    assert len(COMBINATIONS) >= 20
    found = {json.dumps(item): item for values in COMBINATIONS.values() for item in objects(values)}
    core = [item for item in found.values() if item["kind"] not in OWN]
    assert {item["apiVersion"].partition("/")[0] for item in core} <= {
        "v1",
        "apps",
        "batch",
        "networking.k8s.io",
        "policy",
    }
    assert validated(tmp_path, core, version) == ""


@pytest.mark.claim(
    "the check of core objects refuses an unknown field and a wrong type", on=("schemas", "helm")
)
@pytest.mark.parametrize(
    "path", [("spec", "replicas"), ("spec", "replicaz"), ("spec", "template", "spec", "hostNetwerk")]
)
def test_the_check_of_core_objects_can_fail(path, tmp_path):
    deployment = copy.deepcopy(next(o for o in objects(COMBINATIONS["sqlite"]) if o["kind"] == "Deployment"))
    below = deployment
    for key in path[:-1]:
        below = below[key]
    below[path[-1]] = "two"
    assert path[-1] in validated(tmp_path, [deployment], VERSIONS[0])


@pytest.mark.claim(
    "the chart's KEDA, Istio and Prometheus objects pass the real definitions, unknown fields refused",
    on=("keda", "istio", "helm"),
)
def test_custom_resources_pass_their_real_definitions(crds):
    seen = set()
    for name, values in COMBINATIONS.items():
        for found in objects(values):
            if found["kind"] in crds:
                seen.add(found["kind"])
                assert problems(found, crds) == [], name
    assert seen == set(OWN)


@pytest.mark.claim(
    "the check of custom resources refuses an unknown field, a wrong type and a wrong version",
    on=("keda", "istio", "helm"),
)
@pytest.mark.parametrize("kind", OWN)
def test_the_check_of_custom_resources_can_fail(crds, kind):
    found = copy.deepcopy(next(o for o in objects(COMBINATIONS["production"]) if o["kind"] == kind))
    assert problems(found, crds) == []
    found["spec"]["speling"] = 1
    assert "speling" in str(problems(found, crds))
    found["spec"] = []
    assert problems(found, crds)
    assert "not served" in str(problems({**found, "apiVersion": "example.org/v9"}, crds))


@pytest.mark.claim(
    "the Flux example is a HelmRelease by the real definition, and its values render",
    on=("keda", "istio", "helm"),
)
def test_the_flux_example_is_right(crds):
    text = (CHART / "examples" / "helmrelease.yaml").read_text()
    found = {item["kind"]: item for item in yaml.safe_load_all(text)}
    release = found["HelmRelease"]
    assert problems(release, crds) == []
    assert release["spec"]["chart"]["spec"]["sourceRef"]["name"] == found["GitRepository"]["metadata"]["name"]
    assert manifests(release["spec"]["values"])
