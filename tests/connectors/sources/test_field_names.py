"""Aliases: the ECS names say what our own ECS documents say, the short ones what rules mean by them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from connectors.sources.catalogue import KINDS, profile
from connectors.sources.field_names import FieldNames
from detectors.event import Event, Locator
from detectors.sigma.document import RuleDocument
from detectors.sigma.engine import Engine
from detectors.sigma.path import MISSING, Derived, Found, lookup
from detectors.sigma.ruleset import RuleSet

DATA = Path(__file__).parent / "data"
# Elastic's own names of what our documents keep below `flattened`.
TITLES = {
    "cloudtrail": "CloudTrail",
    "kubernetes_audit": "Kubernetes audit",
    "istio_access": "Istio access lines",
    "vault_audit": "Vault audit",
}
ELSEWHERE = "aws.cloudtrail.console_login."


def events(kind: str) -> Iterator[Event]:
    for line in (DATA / f"{kind}.jsonl").read_text(encoding="utf-8").splitlines():
        yield profile(kind).parse(json.loads(line)["record"], Locator("t", 0, 7, 0))


def at(document: Any, name: str) -> Found:
    for part in name.split("."):
        if not isinstance(document, dict) or part not in document:
            return MISSING
        document = document[part]
    return document


def read(kind: str, name: str, record: Mapping[str, Any]) -> Found:
    return lookup(profile(kind).aliases[name])(dict(record))


@pytest.mark.parametrize("kind", KINDS)
def test_the_ecs_names_agree_with_our_own_documents(kind: str) -> None:
    compared = 0
    for event in events(kind):
        document = profile(kind).ecs(event)
        for name, path in profile(kind).aliases.items():
            if "." not in name or name.startswith(ELSEWHERE):
                continue
            said, shown = lookup(path)(event.fields), at(document, name)
            if isinstance(said, dict):
                assert shown is not MISSING, name
                continue
            said = (
                MISSING
                if said in (None, [])
                else said[0]
                if said and name == "user_agent.original" and isinstance(said, list)
                else said
            )
            assert str(said).casefold() == str(shown).casefold(), name
            compared += shown is not MISSING
    assert compared > 50


@pytest.mark.parametrize("kind", KINDS)
def test_no_alias_hides_a_field_of_a_record(kind: str) -> None:
    aliases = profile(kind).aliases
    for event in events(kind):
        hidden = [name for name in aliases if lookup(name)(event.fields) is not MISSING]
        assert hidden == []


@pytest.mark.parametrize("kind", KINDS)
def test_aliases_are_read_of_empty_and_of_odd_records_without_an_error(kind: str) -> None:
    odd: list[Any] = [None, 7, "x", [], [[None]], {}, {"a": "b"}]
    for event in events(kind):
        for value in odd:
            keep = {
                key: event.fields[key]
                for key in ("eventName", "eventSource", "verb", "stage")
                if key in event.fields
            }
            fields = {**dict.fromkeys(event.fields, value), **keep}
            for path in profile(kind).aliases.values():
                lookup(path)(fields)


def test_a_name_below_a_prefix_is_the_records_own() -> None:
    names = FieldNames({"a": "b"}, {"vendor.log.": "", "vendor.body.": "body."})
    assert names["vendor.log.user.name"] == "user.name"
    assert names.get("vendor.body.x", "") == "body.x"
    assert names.get("vendor.log.", "none") == "none"
    assert "vendor.other" not in names
    assert (list(names), len(names)) == (["a"], 1)


def test_names_regard_case() -> None:
    assert "cs-method" in profile("istio_access").aliases
    assert "CS-Method" not in profile("istio_access").aliases


def test_no_rule_can_write_the_path_of_a_derived_value() -> None:
    for kind in KINDS:
        derived = [path for path in profile(kind).aliases.values() if isinstance(path, Derived)]
        assert derived
        assert all("|" in path for path in derived)


def test_an_alias_counts_before_a_key_of_its_name() -> None:
    document = """title: t
id: 11111111-1111-4111-8111-111111111111
logsource: {product: aws, service: cloudtrail}
detection: {s: {event.action: StopLogging, source.ip: 192.0.2.7}, condition: s}
"""
    engine = Engine(RuleSet.load([RuleDocument("r.yml", document)]))
    real: dict[str, Any] = {"eventName": "StopLogging", "sourceIPAddress": "192.0.2.7"}
    rest: dict[str, Any] = {"eventSource": "cloudtrail.amazonaws.com", "eventTime": "2026-01-02T03:04:05Z"}
    hiding = {"event.action": "x", "event": {"action": "x"}, "source.ip": "x", "source": {"ip": "x"}}
    posing = {"event.action": "StopLogging", "source": {"ip": "192.0.2.7"}}
    for record, wanted in (
        ({**real, **rest}, 1),
        ({**real, **rest, **hiding}, 1),
        ({"eventName": "x", "sourceIPAddress": "x", **rest, **posing}, 0),
    ):
        event = profile("cloudtrail").parse(record, Locator("t", 0, 7, 0))
        assert len(engine.inspect(event).findings) == wanted


def test_the_page_lists_every_name() -> None:
    page = (Path(__file__).parents[3] / "docs" / "field-names.md").read_text(encoding="utf-8")
    parts = page.split("\n## ")[1:]
    assert len(parts) == len(KINDS)
    for kind, title in TITLES.items():
        part = next(part for part in parts if part.startswith(title))
        rows = [row.split(" | ") for row in part.splitlines() if row.startswith("| `")]
        told = {name: row[1].strip(" |`") for row in rows for name in re.findall(r"`([^`]+)`", row[0])}
        aliases = profile(kind).aliases
        below = {name: path for name, path in told.items() if name.endswith("NAME")}
        assert set(told) - set(below) == set(aliases)
        assert all(aliases[name] == path for name, path in below.items())
        plain = {name: path for name, path in aliases.items() if not isinstance(path, Derived)}
        assert {name: told[name] for name in plain} == plain


ISTIO = [
    ("c-uri", {"path": "/a?b=1", "authority": "h:8"}, ["/a?b=1", "http://h:8/a?b=1", "https://h:8/a?b=1"]),
    ("c-uri", {"path": "/a", "authority": "h", "x_forwarded_proto": "https"}, ["/a", "https://h/a"]),
    ("c-uri", {"path": "http://other/a", "authority": "h"}, "http://other/a"),
    ("c-uri", {"path": None, "authority": "h:443", "method": "CONNECT"}, "h:443"),
    ("cs-uri", {"path": "/a"}, "/a"),
    ("cs-uri", {}, MISSING),
    ("cs-uri-query", {"path": "/a?b=1"}, ["/a?b=1", "b=1"]),
    ("cs-uri-query", {"path": "/a"}, "/a"),
    ("cs-uri-stem", {"path": "/a?b=/c"}, "/a"),
    ("url.query", {"path": "/a"}, MISSING),
    ("c-uri-extension", {"path": "/d.e/a.EXE?x=b.txt"}, "EXE"),
    ("c-uri-extension", {"path": "http://host.example"}, MISSING),
    ("c-uri-extension", {"path": "/.htaccess"}, MISSING),
    ("cs-host", {"authority": "Shop.Example.COM:8443"}, "shop.example.com"),
    ("cs-host", {"authority": None}, MISSING),
    ("c-useragent", {"method": "GET", "user_agent": None}, ""),
    ("c-useragent", {"user_agent": None}, None),
    ("user_agent.original", {"method": "GET", "user_agent": None}, None),
    ("c-ip", {"downstream_remote_address": "10.0.0.1:4000"}, "10.0.0.1"),
    ("c-ip", {"downstream_remote_address": "198.51.100.1:0"}, MISSING),
    (
        "source.ip",
        {"downstream_remote_address": "198.51.100.1:0", "downstream_direct_remote_address": "10.0.0.1:9"},
        "10.0.0.1",
    ),
    ("c-port", {"downstream_remote_address": "[2001:db8::1]:4000"}, 4000),
    ("dst_ip", {"upstream_host": "envoy://connect_originate/10.2.3.4:80"}, "10.2.3.4"),
    ("s-port", {"downstream_local_address": "10.0.0.9:15006"}, 15006),
    ("http.response.status_code", {"method": "GET", "response_code": 0}, MISSING),
    ("event.action", {}, "connection"),
    ("c-ip", {"scope": "access", "src": {"addr": "10.0.0.7:1"}, "dst": {}}, "10.0.0.7"),
    ("user.name", {"scope": "access", "src": {"identity": "spiffe://c/ns/a/sa/b"}, "dst": {}}, "a/b"),
    ("istio.ztunnel.src.workload", {"src": {"workload": "w"}}, "w"),
]


@pytest.mark.parametrize(("name", "record", "wanted"), ISTIO)
def test_access_lines_under_the_names_of_w3c(name: str, record: dict[str, Any], wanted: Any) -> None:
    assert read("istio_access", name, record) == wanted


DEPLOYMENT = {
    "spec": {
        "template": {
            "spec": {
                "volumes": [{"name": "v", "hostPath": {"path": "/var/run"}}, {"name": "w", "emptyDir": {}}],
                "initContainers": [{"securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}}],
                "containers": [{"securityContext": {"privileged": True}}, {"name": "x"}],
            }
        }
    }
}
KUBERNETES = [
    ("hostPath", {"requestObject": DEPLOYMENT}, ["/var/run"]),
    ("hostPath", {"requestObject": {"spec": {"volumes": [{"hostPath": {"path": "/"}}]}}}, ["/"]),
    ("hostPath", {"requestObject": {"spec": {"volumes": []}}}, MISSING),
    ("capabilities", {"requestObject": DEPLOYMENT}, ["NET_ADMIN"]),
    ("privileged", {"requestObject": DEPLOYMENT}, [True]),
    ("source.ip", {"sourceIPs": ["198.51.100.9", "10.0.0.3"]}, "10.0.0.3"),
    ("error.code", {"responseStatus": {"code": 403, "reason": "Forbidden"}}, "Forbidden"),
    ("error.code", {"responseStatus": {"code": 200, "reason": "x"}}, MISSING),
    ("kubernetes.audit.objectRef.resource", {"objectRef": {"resource": "pods"}}, "pods"),
]


@pytest.mark.parametrize(("name", "record", "wanted"), KUBERNETES)
def test_audit_events_under_short_names(name: str, record: dict[str, Any], wanted: Any) -> None:
    assert read("kubernetes_audit", name, record) == wanted
