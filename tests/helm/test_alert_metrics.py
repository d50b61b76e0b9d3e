"""Alerts stand on metrics that the roles really export, with labels and values that they really have."""

import asyncio
import re
import time

import pytest
from aiokafka.structs import TopicPartition
from crds.chart import combinations, of_kind
from prometheus_client import CollectorRegistry, ProcessCollector

from config.settings import ROLES
from connectors.kafka import conservation
from connectors.kafka.metrics import ConservationCollector, Standing
from daemon.health_server import application
from daemon.reloading import ReloadMetrics
from daemon.roles.correlate.metrics import Metrics as CorrelateMetrics
from daemon.roles.forward.canary_metrics import ArrivalMetrics
from daemon.roles.respond.metrics import RespondMetrics
from daemon.roles.respond.schedule_metrics import ScheduleMetrics
from daemon.runtime import Health, Runtime
from daemon.web.metrics import WebMetrics
from playbooks.action import BUSY, TERMINAL

SCRAPED = {"namespace", "job", "pod"}
STATES = BUSY | TERMINAL | {"proposed"}


def exported() -> dict[str, set[str]]:
    """Return metric name -> label names of everything that the five roles register."""
    registry = CollectorRegistry()
    runtime = Runtime("detect", Health(time.time, registry), registry, time.time, asyncio.Event())
    application(runtime)
    CorrelateMetrics(registry)
    RespondMetrics(registry)
    ScheduleMetrics(registry)
    ArrivalMetrics(registry)
    WebMetrics(registry)
    ReloadMetrics(registry)
    names = {
        sample: set(vars(collector)["_labelnames"])
        for collector, samples in registry._collector_to_names.items()
        for sample in samples
    }
    for family in ProcessCollector(registry=None).collect():
        names |= {sample.name: set(sample.labels) for sample in family.samples}
    counted: list[str] = [*conservation.RECORD_OUTCOMES, *conservation.DELIVERY_OUTCOMES, "events:accepted"]
    standing = {TopicPartition("k8s.audit", 0): Standing("kubernetes_audit", dict.fromkeys(counted, 1), 1)}
    for role in ("detect", "forward"):
        for family in ConservationCollector(role, lambda: {"": standing}).collect():
            names |= {sample.name: set(sample.labels) for sample in family.samples}
    return names


EXPORTED = exported()
RULES = [
    rule
    for found in of_kind(combinations()["production"], "PrometheusRule").values()
    for group in found["spec"]["groups"]
    for rule in group["rules"]
]


def selectors(expression: str) -> list[tuple[str, dict[str, str]]]:
    """Return (metric, matchers) of every selector of an expression."""
    found = re.findall(r"\b([a-z_]+)\{([^}]*)\}", expression)
    return [(name, dict(re.findall(r"(\w+)\s*=~?\s*\"([^\"]*)\"", inner))) for name, inner in found]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_metrics_and_labels_that_exist(rule):
    asked = selectors(rule["expr"])
    assert asked
    for name, matchers in asked:
        assert name == "up" or name in EXPORTED, name
        known = EXPORTED.get(name, set()) | SCRAPED
        assert set(matchers) <= known
        assert matchers["namespace"] == "sec"
        assert all(re.fullmatch(matchers["job"], f"rel-davylamp-{role}") for role in ROLES)
        for labels in re.findall(r"by \(([^)]*)\)", rule["expr"]):
            assert {label.strip() for label in labels.split(",")} <= known


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_speaks_only_of_labels_that_its_answer_has(rule):
    aggregated = re.findall(r"by \(([^)]*)\)", rule["expr"])
    if aggregated:
        known = {label.strip() for label in aggregated[0].split(",")}
    else:
        known = SCRAPED.union(*(EXPORTED.get(name, set()) for name, _ in selectors(rule["expr"])))
        known = set() if rule["expr"].startswith("max(") else known
    said = rule["annotations"]["summary"] + rule["annotations"]["description"]
    assert set(re.findall(r"\$labels\.(\w+)", said)) <= known


def test_matched_outcomes_and_states_are_those_of_the_code():
    for rule in RULES:
        for name, matchers in selectors(rule["expr"]):
            if name == "davylamp_actions_total":
                assert set(matchers["outcome"].split("|")) <= TERMINAL
            elif name == "davylamp_actions_by_state":
                assert matchers["state"] in STATES
            elif name == "davylamp_detect_records_total":
                known = {conservation.RECORDS_READ, *conservation.RECORD_OUTCOMES}
                assert f"records:{matchers['outcome']}" in known
            elif name == "davylamp_forward_items_total":
                assert f"items:{matchers['outcome']}" in conservation.DELIVERY_OUTCOMES


def test_alert_names_are_unique_and_every_alert_says_how_bad_and_what_now():
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names)) >= 10
    for rule in RULES:
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"] and rule["annotations"]["description"]


def test_thresholds_of_the_values_stand_in_the_expressions():
    rules = {
        rule["alert"]: rule
        for found in of_kind(combinations()["alerts_of_a_small_site"], "PrometheusRule").values()
        for rule in found["spec"]["groups"][0]["rules"]
    }
    assert "> 1000000" in rules["DavylampLagGrowing"]["expr"]
    assert "[2h:1m]" in rules["DavylampSourceSilent"]["expr"]
    assert "> 0.5" in rules["DavylampUnreadableRecords"]["expr"]
    assert "> 14400" in rules["DavylampWatermarkStuck"]["expr"]
    assert rules["DavylampDown"]["annotations"]["runbook_url"].startswith("https://runbooks.example.org/")
