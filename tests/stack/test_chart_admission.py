"""The chart before a real API server: a server-side apply of every object, then a real life cycle."""

import copy

import helm_python as helm
import pytest
from crds.chart import CHART, combinations, objects
from crds.cluster import dry_run, install_definitions, present, restricted_namespace
from crds.definitions import definitions
from parts.part import PartMissingError

COMBINATIONS = combinations()
SEVERAL = (
    "sqlite",
    "file_target_on_a_volume",
    "rules_and_playbooks",
    "mesh_by_namespace",
    "own_health_ports",
    "scheduling",
    "extras",
    "production",
    "production_shared_pod",
    "production_load_balancer",
)


@pytest.fixture(scope="session")
def cluster(kubernetes):
    """The API server with the definitions of KEDA, Istio and Prometheus."""
    try:
        install_definitions(kubernetes, definitions())
    except PartMissingError as error:
        pytest.skip(f"definitions: {error}")
    return kubernetes


@pytest.fixture(scope="session")
def restricted(cluster):
    return restricted_namespace(cluster, "chart-restricted")


@pytest.mark.claim(
    "a restricted namespace takes every object of the chart by server-side apply, without a warning"
)
@pytest.mark.parametrize("name", SEVERAL)
def test_every_object_is_admitted_without_a_warning(cluster, restricted, name):
    for found in objects(COMBINATIONS[name]):
        answer = dry_run(cluster, found, restricted)
        place = f"{found['kind']} {found['metadata']['name']}"
        assert answer.status_code in (200, 201), f"{place}: {answer.text}"
        assert "Warning" not in answer.headers, f"{place}: {answer.headers['Warning']}"


def spoilt(kind, path, value):
    """Return an object of the production chart with one place made wrong."""
    found = copy.deepcopy(next(o for o in objects(COMBINATIONS["production"]) if o["kind"] == kind))
    below = found
    for key in path[:-1]:
        below = below[key]
    below[path[-1]] = value
    return found


@pytest.mark.claim(
    "the admission check refuses unknown fields, wrong types and selectors, and privileged pods"
)
@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", ("spec", "speling"), 1),
        ("Deployment", ("spec", "replicas"), "two"),
        ("Deployment", ("spec", "selector", "matchLabels", "app.kubernetes.io/component"), "other"),
        (
            "Deployment",
            ("spec", "template", "spec", "containers", 0, "securityContext"),
            {"privileged": True},
        ),
        ("ScaledObject", ("spec", "maxReplicas"), 3),
        ("AuthorizationPolicy", ("spec", "action"), "PERHAPS"),
        ("PrometheusRule", ("spec", "groups", 0, "rules", 0, "for"), "a while"),
    ],
)
def test_the_admission_check_can_fail(cluster, restricted, kind, path, value):
    answer = dry_run(cluster, spoilt(kind, path, value), restricted)
    assert answer.status_code not in (200, 201) or "Warning" in answer.headers


@pytest.mark.claim(
    "helm install, upgrade and uninstall of the chart leave nothing behind on a real API server"
)
@pytest.mark.parametrize("name", ["mesh_by_namespace", "production_without_scaling"])
def test_install_upgrade_and_uninstall_leave_nothing(cluster, tmp_path, name):
    namespace = restricted_namespace(cluster, f"chart-{name.replace('_', '-')}")
    values = {**COMBINATIONS[name], "bootstrap": {"enabled": False}}
    wanted = [
        found for found in objects(values) if "helm.sh/hook" not in found["metadata"].get("annotations", {})
    ]
    kinds = sorted({(found["apiVersion"], found["kind"]) for found in wanted} | {("v1", "Secret")})
    before = present(cluster, kinds, namespace)
    with helm.Config(kubeconfig_path=cluster.kubeconfig(tmp_path), namespace=namespace) as config:
        config.install(str(CHART), "rel", values, namespace=namespace)
        there = present(cluster, kinds, namespace) - before
        assert {(f["kind"], f["metadata"]["name"]) for f in wanted} <= there
        config.upgrade(
            str(CHART), "rel", {**values, "prometheusRule": {"enabled": False}}, namespace=namespace
        )
        later = present(cluster, kinds, namespace) - before
        gone = {kind for kind, _ in there - later}
        assert gone == ({"PrometheusRule"} if ("PrometheusRule", "rel-davylamp") in there else set())
        config.uninstall("rel")
    assert present(cluster, kinds, namespace) == before
