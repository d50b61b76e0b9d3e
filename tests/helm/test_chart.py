"""What the chart installs: which workloads, who holds which secret, what is reachable."""

import helm_python as helm
import pytest
from crds.chart import CHART, combinations, given, manifests, merged, of_kind, pods
from crds.chart import objects as rendered

from config.settings import ROLES

COMBINATIONS = combinations()


@pytest.mark.parametrize("name", ["sqlite", "production"])
def test_the_chart_lints_strictly(name):
    report = helm.lint(str(CHART), given(name), strict=True, kube_version="v1.30.0")
    assert report["errors"] == []
    assert [m for m in report["messages"] if m["severity"] >= 2] == []


def test_the_chart_lints_strictly_without_any_values():
    report = helm.lint(str(CHART), strict=True, kube_version="v1.30.0")
    assert report["errors"] == []


@pytest.mark.parametrize("name", COMBINATIONS)
def test_every_combination_renders_twice_alike_and_names_nothing_twice(name):
    first = manifests(COMBINATIONS[name])
    assert first == manifests(COMBINATIONS[name])
    names = [(found["kind"], found["metadata"]["name"]) for found in rendered(COMBINATIONS[name])]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", COMBINATIONS)
def test_no_name_is_too_long_for_its_label_or_port(name):
    for found in rendered(COMBINATIONS[name]):
        assert len(found["metadata"]["name"]) <= 52, "a StatefulSet's pods carry a hash of 11 behind it"
    for spec in pods(rendered(COMBINATIONS[name])).values():
        ports = [port["name"] for c in spec["containers"] for port in c.get("ports", [])]
        assert all(len(port) <= 15 for port in ports) and len(ports) == len(set(ports))


def test_every_role_is_a_workload_of_its_own_on_postgresql():
    values = given("production")
    deployments = of_kind(values, "Deployment")
    assert sorted(deployments) == [f"rel-davylamp-{role}" for role in sorted(ROLES)]
    assert of_kind(values, "StatefulSet") == {}


def test_respond_and_web_share_one_pod_and_one_volume_on_sqlite():
    values = given("sqlite")
    (shared,) = of_kind(values, "StatefulSet").values()
    spec = shared["spec"]["template"]["spec"]
    assert [c["name"] for c in spec["containers"]] == ["respond", "web"]
    assert shared["spec"]["replicas"] == 1
    claims = [claim["metadata"]["name"] for claim in shared["spec"]["volumeClaimTemplates"]]
    assert claims == ["state"]
    for container in spec["containers"]:
        assert {"name": "state", "mountPath": "/var/lib/davylamp"} in container["volumeMounts"]
        variables = {entry["name"]: entry.get("value") for entry in container["env"]}
        assert variables["DAVYLAMP_RESPONSE__DATABASE_URL__VALUE"].startswith("sqlite:////var/lib/davylamp/")
    assert sorted(of_kind(values, "Deployment")) == [
        f"rel-davylamp-{r}" for r in ("correlate", "detect", "forward")
    ]


@pytest.mark.parametrize("layout", ["separate", "shared"])
def test_each_container_mounts_its_own_role_secret_and_no_other(layout):
    values = merged(given("production"), {"database": {"layout": layout}})
    held = {}
    for name, spec in pods(rendered(values)).items():
        volumes = (
            {v["name"]: v["secret"]["secretName"] for v in spec["volumes"] if "secret" in v}
            if "volumes" in spec
            else {}
        )
        for container in spec["containers"]:
            mounts = [m for m in container.get("volumeMounts", []) if m["name"] in volumes]
            assert all(m["readOnly"] and "subPath" not in m for m in mounts)
            held[name, container["name"]] = [volumes[m["name"]] for m in mounts]
            assert not any(
                "secretKeyRef" in str(e) for e in container.get("env", []) + container.get("envFrom", [])
            )
    roles = {container: secrets for (_, container), secrets in held.items() if container in ROLES}
    assert roles == {role: [f"davylamp-{role}"] for role in ROLES}


def test_only_respond_is_pointed_at_a_vault_token_and_only_sql_roles_at_a_database():
    seen = {}
    for spec in pods(rendered(given("production"))).values():
        for container in spec["containers"]:
            seen[container["name"]] = {entry["name"] for entry in container.get("env", [])}
    assert {r for r in ROLES if "DAVYLAMP_VAULT__TOKEN__FILE" in seen[r]} == {"respond"}
    assert {r for r in ROLES if "DAVYLAMP_RESPONSE__DATABASE_URL__FILE" in seen[r]} == {"respond", "web"}
    assert {r for r in ROLES if "DAVYLAMP_KAFKA__PASSWORD__FILE" in seen[r]} == set(ROLES) - {"web"}


@pytest.mark.parametrize("name", COMBINATIONS)
def test_probes_ask_each_role_at_its_own_health_port(name):
    values = COMBINATIONS[name]
    chosen = values["config"].get("operation", {}).get("health_ports", {})
    defaults = {"detect": 8481, "correlate": 8482, "respond": 8483, "forward": 8484, "web": 8485}
    for spec in pods(rendered(values)).values():
        for container in spec["containers"]:
            role = container["name"]
            if role not in ROLES:
                continue
            ports = {port["name"]: port["containerPort"] for port in container["ports"]}
            assert ports[f"http-{role}"] == chosen.get(role, defaults[role])
            paths = {
                kind: container[f"{kind}Probe"]["httpGet"]["path"]
                for kind in ("startup", "liveness", "readiness")
            }
            assert paths == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}


def test_every_pod_of_the_release_is_denied_all_but_what_its_roles_need():
    values = given("production")
    policies = of_kind(values, "NetworkPolicy")
    deny = policies["rel-davylamp-deny"]["spec"]
    assert deny["policyTypes"] == ["Ingress", "Egress"] and "ingress" not in deny and "egress" not in deny
    ports = {
        name: sorted({port["port"] for rule in policy["spec"]["egress"] for port in rule.get("ports", [])})
        for name, policy in policies.items()
        if name != "rel-davylamp-deny"
    }
    assert ports == {
        "rel-davylamp-detect": [53, 9093, 15012],
        "rel-davylamp-correlate": [53, 9093, 15012],
        "rel-davylamp-forward": [53, 9093, 9200, 15012],
        "rel-davylamp-respond": [53, 443, 5432, 8200, 9093, 15012],
        "rel-davylamp-web": [53, 5432, 15012],
        "rel-davylamp-bootstrap": [53, 5432, 9093, 9200, 15012],
        "rel-davylamp-test": [53, 15012],
    }


def test_the_mesh_is_strict_and_lets_in_prometheus_and_the_gateway_alone():
    values = given("production")
    (peer,) = of_kind(values, "PeerAuthentication").values()
    assert peer["spec"]["mtls"] == {"mode": "STRICT"}
    policies = of_kind(values, "AuthorizationPolicy")
    assert len(policies) == len(ROLES)
    sources = {}
    for policy in policies.values():
        assert policy["spec"]["action"] == "ALLOW"
        for rule in policy["spec"]["rules"]:
            (to,) = (entry["operation"] for entry in rule["to"])
            who = {p for entry in rule["from"] for p in entry["source"]["principals"]}
            sources.setdefault(
                (",".join(to["ports"]) == "8480", ",".join(to.get("paths", ["any"]))), set()
            ).update(who)
    assert sources == {
        (False, "/metrics"): {"cluster.local/ns/monitoring/sa/prometheus"},
        (False, "/healthz,/readyz"): {"cluster.local/ns/sec/sa/rel-davylamp-test"},
        (True, "any"): {"cluster.local/ns/istio-ingress/sa/gateway"},
    }


def test_a_mesh_without_readers_allows_nothing():
    policies = of_kind(COMBINATIONS["mesh_without_readers"], "AuthorizationPolicy")
    assert [policy["spec"]["rules"] for policy in policies.values()] == [[]] * len(policies)


def test_keda_scales_by_the_lag_of_the_groups_that_the_roles_use():
    from daemon.roles.detect.role import GROUP
    from daemon.roles.forward.forwarder import group_of

    values = COMBINATIONS["keda_with_own_topics"]
    scaled = of_kind(values, "ScaledObject")
    seen = {
        name.removeprefix("rel-davylamp-"): {
            (t["metadata"]["consumerGroup"], t["metadata"]["topic"]) for t in found["spec"]["triggers"]
        }
        for name, found in scaled.items()
    }
    topics = {"aws.eu", "aws.us", "k8s.audit", "istio.access"}
    assert seen == {
        "detect": {(GROUP, topic) for topic in topics},
        "forward": {(group_of("elasticsearch"), topic) for topic in topics},
    }
    for name, found in scaled.items():
        assert "replicas" not in of_kind(values, "Deployment")[name]["spec"], "Helm and KEDA would fight"
        assert found["spec"]["minReplicaCount"] == 2
        assert {t["metadata"]["lagThreshold"] for t in found["spec"]["triggers"]} == {"100"}


def test_keda_asks_for_the_lag_of_every_target():
    from daemon.roles.forward.forwarder import group_of

    found = of_kind(COMBINATIONS["production_two_siems"], "ScaledObject")["rel-davylamp-forward"]
    groups = {t["metadata"]["consumerGroup"] for t in found["spec"]["triggers"]}
    assert groups == {group_of("elastic"), group_of("opensearch")}


def test_large_numbers_are_written_as_numbers():
    for found in of_kind(COMBINATIONS["keda_without_login"], "ScaledObject").values():
        assert {t["metadata"]["lagThreshold"] for t in found["spec"]["triggers"]} == {"2000000"}


def test_folders_are_mounted_whole_so_that_the_kubelet_can_renew_them():
    for spec in pods(rendered(COMBINATIONS["rules_and_playbooks"])).values():
        for container in spec["containers"]:
            assert not any("subPath" in mount for mount in container.get("volumeMounts", []))


def test_a_changed_configuration_or_rule_rolls_the_pods_that_read_it():
    values = COMBINATIONS["rules_and_playbooks"]

    def stamps(changed):
        return {
            name: found["spec"]["template"]["metadata"]["annotations"]
            for kind in ("Deployment", "StatefulSet")
            for name, found in of_kind(merged(values, changed), kind).items()
        }

    before = stamps({})
    after = stamps({"rules": {"files": {"site.yml": "title: another rule\n"}}})
    assert {n for n in before if before[n] != after[n]} == {"rel-davylamp-detect", "rel-davylamp-correlate"}
    after = stamps({"playbooks": {"files": {"site.md": "# another page\n"}}})
    assert {n for n in before if before[n] != after[n]} == {"rel-davylamp-respond-web"}
    after = stamps({"config": {"site": "other"}})
    assert all(before[n] != after[n] for n in before)


def test_hooks_bring_their_own_policy_account_and_configuration():
    hooks = [
        found
        for found in rendered(given("production"))
        if "pre-install" in found["metadata"].get("annotations", {}).get("helm.sh/hook", "")
    ]
    assert {found["kind"] for found in hooks} == {"ConfigMap", "Job", "NetworkPolicy", "ServiceAccount"}
    weights = {found["kind"]: int(found["metadata"]["annotations"]["helm.sh/hook-weight"]) for found in hooks}
    assert weights.pop("Job") > max(weights.values())
    (job,) = (found for found in hooks if found["kind"] == "Job")
    spec = job["spec"]["template"]["spec"]
    commands = [c["args"][:2] for c in [*spec["initContainers"], *spec["containers"]]]
    assert commands == [
        ["topics", "create"],
        ["database", "upgrade"],
        ["database", "grant-web"],
        ["siem", "bootstrap"],
    ]


def test_every_command_of_the_chart_is_one_that_the_program_has():
    import click

    from daemon.cli.main import cli

    for spec in pods(rendered(given("production"))).values():
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            if "command" in container:
                continue
            command, words = cli, list(container["args"])
            while isinstance(command, click.Group):
                command = command.get_command(click.Context(command), words.pop(0))
            assert command is not None, container["args"]
            assert command.make_context("davylamp", words).params["path"].name == "config.yaml"
