"""Impossible values are refused before anything is installed, each with one clear sentence."""

import helm_python as helm
import pytest
from crds.chart import given, manifests, merged, objects

CASES = [
    (
        "production",
        {"certificates": {"existingConfigMap": ""}},
        "certificates.existingConfigMap is missing: config names files below",
    ),
    (
        "sqlite",
        {"database": {"layout": "separate"}},
        "SQLite is a file on one volume, so respond and web must share one pod",
    ),
    (
        "sqlite",
        {"roles": {"respond": {"replicas": 2}}},
        "roles.respond.replicas 2 needs database.kind postgresql",
    ),
    ("sqlite", {"roles": {"web": {"replicas": 3}}}, "roles.web.replicas 3 needs database.kind postgresql"),
    ("sqlite", {"roles": {"respond": {"enabled": False}}}, "roles.web needs roles.respond on SQLite"),
    (
        "production",
        {"database": {"layout": "shared"}, "roles": {"web": {"replicas": 1}}},
        "give roles.respond.replicas and roles.web.replicas the same number",
    ),
    (
        "production",
        {"roles": {"detect": {"existingSecret": ""}}},
        "roles.detect.existingSecret is missing: config.kafka.security_protocol SASL_SSL needs",
    ),
    (
        "production",
        {"roles": {"detect": {"existingSecret": ""}}, "config": {"kafka": {"sasl_mechanism": "OAUTHBEARER"}}},
        "needs a Secret with the key kafka-token",
    ),
    (
        "production",
        {"roles": {"web": {"existingSecret": ""}}},
        "roles.web.existingSecret is missing: PostgreSQL needs",
    ),
    (
        "production",
        {"roles": {"respond": {"existingSecret": ""}}},
        "roles.respond.existingSecret is missing: config.response.targets need",
    ),
    (
        "production",
        {"roles": {"forward": {"existingSecret": ""}}},
        "roles.forward.existingSecret is missing: config names files",
    ),
    ("production", {"roles": {"detect": {"kafkaUsername": ""}}}, "roles.detect.kafkaUsername is missing"),
    (
        "production",
        {"config": {"web": {"approvers": []}}},
        "config.web.approvers is empty: pages that others can reach need people who sign in",
    ),
    ("production", {"config": {"web": {"base_url": None}}}, "config.web.base_url is missing"),
    ("production", {"config": {"state_dir": "/data"}}, "config.state_dir is the chart's to set"),
    (
        "production",
        {"config": {"vault": {"token": {"file": "/x"}}}},
        "config.vault.token is the chart's to set",
    ),
    (
        "production",
        {"config": {"kafka": {"password": {"file": "/x"}}}},
        "config.kafka.password is the chart's to set",
    ),
    (
        "production",
        {"config": {"response": {"database_url": {"file": "/x"}}}},
        "config.response.database_url is the chart's to set",
    ),
    (
        "production",
        {"config": {"kafka": {"counters": "file"}}},
        "config.kafka.counters file keeps counters in one pod's folder",
    ),
    (
        "production",
        {"config": {"operation": {"health_host": "127.0.0.1"}}},
        "config.operation.health_host is a loopback address",
    ),
    (
        "production",
        {"config": {"operation": {"health_ports": {"detect": 9001}}}},
        "config.operation.health_ports.correlate must be given",
    ),
    (
        "production",
        {"config": {"web": {"port": 8483}}},
        "config.operation.health_ports.respond must be given, above 1023 and unlike the other ports",
    ),
    (
        "sqlite",
        {"config": {"forwarding": {"targets": [{"kind": "file"}]}}},
        "config.forwarding.targets has a file target",
    ),
    (
        "production",
        {"keda": {"maxReplicas": {"detect": 13}}},
        "keda.maxReplicas.detect 13 is more than partitions 12",
    ),
    (
        "production",
        {"keda": {"maxReplicas": {"forward": 1}}},
        "keda.maxReplicas.forward 1 is less than keda.minReplicas 2",
    ),
    ("production", {"keda": {"existingSecret": ""}}, "keda.existingSecret is missing"),
    (
        "production",
        {"keda": {"enabled": False}, "roles": {"detect": {"replicas": 20}}},
        "roles.detect.replicas 20 is more than partitions 12",
    ),
    (
        "production",
        {"roles": {"correlate": {"replicas": 7}}},
        "roles.correlate.replicas 7 is more than config.kafka.internal_partitions 6",
    ),
    ("production", {"networkPolicy": {"egress": {"kafka": []}}}, "networkPolicy.egress.kafka names nobody"),
    ("production", {"networkPolicy": {"egress": {"vault": []}}}, "networkPolicy.egress.vault names nobody"),
    ("production", {"networkPolicy": {"egress": {"siem": []}}}, "networkPolicy.egress.siem names nobody"),
    ("production", {"networkPolicy": {"web": []}}, "networkPolicy.web names nobody"),
    ("production", {"networkPolicy": {"monitoring": []}}, "networkPolicy.monitoring names nobody"),
    ("production", {"istio": {"web": {"principals": []}}}, "istio.web.principals is empty"),
    ("production", {"istio": {"prometheus": {"principals": []}}}, "istio.prometheus names nobody"),
    ("production", {"bootstrap": {"existingSecret": ""}}, "bootstrap.existingSecret is missing"),
    ("production", {"bootstrap": {"kafkaUsername": ""}}, "bootstrap.kafkaUsername is missing"),
    (
        "production",
        {"bootstrap": {"topics": False, "siem": False, "webLogin": ""}},
        "bootstrap.enabled has nothing to do",
    ),
    (
        "sqlite",
        {"bootstrap": {"enabled": True, "webLogin": "web"}},
        "bootstrap.webLogin needs database.kind postgresql",
    ),
    (
        "production",
        {"terminationGracePeriodSeconds": 10},
        "terminationGracePeriodSeconds 10 is not longer than config.operation.stop_timeout_s",
    ),
    (
        "production",
        {"roles": {r: {"enabled": False} for r in ("detect", "correlate", "forward", "respond", "web")}},
        "every role is switched off",
    ),
]


@pytest.mark.parametrize(("base", "changed", "sentence"), CASES, ids=[case[2][:60] for case in CASES])
def test_impossible_values_are_refused_with_one_sentence(base, changed, sentence):
    objects(given(base))
    with pytest.raises(helm.HelmRenderError) as refused:
        manifests(merged(given(base), changed))
    lines = [line for line in str(refused.value).splitlines() if sentence in line]
    assert len(lines) == 1, str(refused.value)


def test_everything_that_is_wrong_is_said_at_once():
    with pytest.raises(helm.HelmRenderError) as refused:
        manifests({})
    said = str(refused.value).strip().splitlines()[1:]
    assert len(said) == len(set(said)) >= 6
    assert any("PostgreSQL needs a Secret" in line for line in said), "PostgreSQL is the chart's default"


def test_a_refusal_never_shows_a_value_that_could_be_a_secret():
    values = merged(given("production"), {"config": {"vault": {"token": {"file": "hunter2-in-a-file-name"}}}})
    with pytest.raises(helm.HelmRenderError) as refused:
        manifests(values)
    assert "hunter2" not in str(refused.value)
