"""`rules new`: a sample event becomes a rule and its tests, and both hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

AUDIT: dict[str, Any] = {
    "kind": "Event",
    "apiVersion": "audit.k8s.io/v1",
    "auditID": "00000000-0000-4000-8000-000000000001",
    "level": "Request",
    "stage": "ResponseComplete",
    "verb": "create",
    "requestURI": "/api/v1/namespaces/shop/pods",
    "user": {"username": "eve", "groups": ["staff", "system:authenticated"]},
    "objectRef": {"resource": "pods", "namespace": "shop", "apiVersion": "v1"},
    "annotations": {"authorization.k8s.io/decision": "allow"},
    "requestObject": {"spec": {"containers": [{"image": "a"}, {"image": "b"}], "hostNetwork": True}},
    "responseStatus": {"code": 201},
    "stageTimestamp": "2026-05-01T10:00:00Z",
}
ISTIO: dict[str, Any] = {
    "start_time": "2026-05-01T10:00:00Z",
    "method": "GET",
    "path": "/a*b?c=\\d",
    "response_code": 200,
    "response_code_details": "via_upstream",
    "upstream_cluster": "outbound|443||h.example.net",
    "authority": "h.example.net",
    "request_id": "00000000-0000-4000-8000-000000000001",
}
VAULT: dict[str, Any] = {
    "time": "2026-03-04T09:15:20.1Z",
    "type": "response",
    "auth": {"policies": ["root"], "display_name": "root"},
    "request": {
        "id": "3bdef31b-d145-5b1a-b209-bbbf19960cae",
        "operation": "list",
        "path": "secret/metadata/a",
    },
    "response": {"data": {}},
}


@pytest.mark.parametrize(
    ("kind", "event", "fields"),
    [
        ("kubernetes_audit", AUDIT, None),
        ("kubernetes_audit", AUDIT, "verb,user.groups"),
        ("kubernetes_audit", AUDIT, "requestObject.spec.containers.image,requestObject.spec.hostNetwork"),
        ("kubernetes_audit", AUDIT, "annotations.authorization.k8s.io/decision"),
        ("kubernetes_audit", AUDIT, "resource,responseStatus.code"),
        ("istio_access", ISTIO, None),
        ("istio_access", ISTIO, "path"),
        ("vault_audit", VAULT, None),
        ("vault_audit", VAULT, "auth.policies"),
    ],
)
def test_what_it_writes_loads_and_passes_its_own_tests(
    command: Callable[..., Any],
    saved: Callable[..., Path],
    tmp_path: Path,
    kind: str,
    event: dict[str, Any],
    fields: str | None,
) -> None:
    chosen = ("--fields", fields) if fields else ()
    sample = saved("sample.json", [event])
    done = command("rules", "new", "--source", kind, "--event", sample, "--to", "my.yml", *chosen)
    assert done.returncode == 0, done.stderr
    tried = command("rules", "test", "--no-builtin", "--rules", "my.yml")
    assert (tried.returncode, tried.stdout) == (0, "2 tries, 0 failed\n")
    cases = json.loads((tmp_path / "my.events.json").read_text())
    assert cases["match"][0] != cases["no_match"][0]


def test_it_asks_for_the_chosen_fields_with_the_values_of_the_event(
    command: Callable[..., Any], saved: Callable[..., Path], trail_event: Callable[..., Any], tmp_path: Path
) -> None:
    sample = saved("sample.json", [trail_event(1, "StopLogging")])
    words = ("rules", "new", "--source", "cloudtrail", "--event", sample)
    assert command(*words).returncode == 0
    rule = yaml.safe_load((tmp_path / "new_rule.yml").read_text())
    assert rule["detection"]["selection"] == {
        "eventSource": "cloudtrail.amazonaws.com",
        "eventName": "StopLogging",
    }
    assert rule["logsource"] == {"product": "aws", "service": "cloudtrail"}
    own = ("--no-builtin", "--rules", "new_rule.yml")
    assert command("rules", "check", *own).returncode == 0
    assert command("scan", sample, "--source", "cloudtrail", *own).stdout.count("\n") == 1
    again = command(*words)
    assert again.returncode == 2 and "is there already" in again.stderr


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ("verb,nope", "no field 'nope'"),
        ("objectRef", "choose a field inside it"),
        ("verb|contains", "is a modifier"),
        (",", "choose some with --fields"),
        (".".join("abcdefghijklmnopq"), "segments"),
    ],
)
def test_fields_that_make_no_rule_are_refused_and_nothing_is_written(
    command: Callable[..., Any], saved: Callable[..., Path], tmp_path: Path, fields: str, told: str
) -> None:
    sample = saved("sample.json", [AUDIT])
    done = command("rules", "new", "--source", "kubernetes_audit", "--event", sample, "--fields", fields)
    assert done.returncode == 2 and told in done.stderr
    assert not (tmp_path / "new_rule.yml").exists()


def test_a_file_without_an_event_of_the_source_is_an_error(
    command: Callable[..., Any], saved: Callable[..., Path]
) -> None:
    sample = saved("sample.json", [AUDIT])
    done = command("rules", "new", "--source", "cloudtrail", "--event", sample)
    assert done.returncode == 2 and "holds no event of cloudtrail" in done.stderr
