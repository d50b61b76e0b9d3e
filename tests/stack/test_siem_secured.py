"""`davylamp siem` and delivery over TLS with credentials; the node's core has no security, a proxy has."""

from __future__ import annotations

import base64
import json
import subprocess
import sys

import pytest
import yaml
from parts.kubernetes_keys import self_signed
from parts.tls_proxy import TlsProxy
from parts.watched_siem import documents, kind_of, new_namespace, stored, watched

from config.forwarding import ElasticsearchTarget
from connectors.siem.target import RefusedError, TargetAwayError

DOUBLE = "a TLS proxy that knows credentials"
USER = "davylamp"
RIGHTS = {"S-all": "all", "S-write": "write"}


@pytest.fixture(scope="module", params=["elasticsearch", "opensearch_2"])
def node(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def secured(node, tmp_path_factory):
    """The node behind TLS and credentials; the certificate is in `ca.pem`."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = self_signed(folder)
    with TlsProxy(node.url, certificate, key, {header(node, k): r for k, r in RIGHTS.items()}) as proxy:
        proxy.ca = certificate
        yield proxy


def header(node, secret):
    if kind_of(node) is ElasticsearchTarget:
        return f"ApiKey {secret}"
    return f"Basic {base64.b64encode(f'{USER}:{secret}'.encode()).decode()}"


def credential(node, secret):
    given = {"value": secret} if isinstance(secret, str) else {"file": str(secret)}
    if kind_of(node) is ElasticsearchTarget:
        return {"api_key": given}
    return {"username": USER, "password": given}


def davylamp(tmp_path, node, secured, secret, *words, ca=True, namespace="default"):
    target = {
        "kind": kind_of(node).model_fields["kind"].default,
        "name": "siem",
        "urls": [secured.url],
        **credential(node, secret),
        **({"ca_file": str(secured.ca)} if ca else {}),
    }
    path = tmp_path / "davylamp.yaml"
    path.write_text(yaml.safe_dump({"forwarding": {"namespace": namespace, "targets": [target]}}))
    command = [sys.executable, "-m", "daemon", "siem", *words, "--config", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "S-" not in done.stdout + done.stderr and "Traceback" not in done.stderr, done.stderr
    return done


@pytest.mark.claim("`siem bootstrap` twice and `siem check` over TLS with a credential", double=DOUBLE)
def test_bootstrap_twice_then_check(tmp_path, node, secured):
    namespace = new_namespace()

    def run(*words):
        return davylamp(tmp_path, node, secured, "S-all", *words, namespace=namespace)

    assert run("bootstrap", "--apply").returncode == 0
    again = run("bootstrap", "--apply", "--json")
    assert again.returncode == 0
    (target,) = json.loads(again.stdout)["targets"]
    assert {template["state"] for template in target["templates"]} == {"same"}
    assert run("bootstrap", "--dry-run").returncode == 0
    checked = run("check", "--json")
    (target,) = json.loads(checked.stdout)["targets"]
    found = [(one["name"], one["passed"]) for one in target["checks"]]
    names = ["product", "clock", "templates", "writable", "write", "read"]
    assert found == [(name, True) for name in names] and checked.returncode == 0
    (hit,) = stored(node, "audit", namespace)
    assert hit["_source"]["event"]["action"] == "siem-check"


@pytest.mark.claim("a key that may only write delivers; the check says what it cannot see", double=DOUBLE)
async def test_a_key_that_may_only_write_is_enough(tmp_path, node, secured):
    namespace = new_namespace()
    async with watched(node, namespace):
        pass
    given = {**credential(node, "S-write"), "urls": [secured.url], "ca_file": secured.ca}
    async with watched(node, namespace, bootstrap=False, **given) as (siem, _):
        assert {o.ending for o in await siem.deliver(documents(50, namespace))} == {"delivered"}
    checked = davylamp(tmp_path, node, secured, "S-write", "check", "--json", namespace=namespace)
    (target,) = json.loads(checked.stdout)["targets"]
    found = {one["name"]: one["passed"] for one in target["checks"]}
    assert found == {
        "product": True, "clock": None, "templates": None, "writable": None, "write": True, "read": None,
    }  # fmt: skip
    assert checked.returncode == 0
    refused = davylamp(tmp_path, node, secured, "S-write", "bootstrap", "--apply")
    assert refused.returncode == 3 and "right to manage index templates" in refused.stderr


@pytest.mark.claim("a certificate or credential that is not known is told, without the secret", double=DOUBLE)
async def test_what_is_wrong_is_told_by_name(tmp_path, node, secured):
    untrusted = davylamp(tmp_path, node, secured, "S-all", "check", ca=False)
    assert untrusted.returncode == 3 and "TLS: " in untrusted.stdout
    unknown = davylamp(tmp_path, node, secured, "S-bad", "check")
    assert unknown.returncode == 1 and "the credential is refused (401)" in unknown.stdout
    missing = davylamp(tmp_path, node, secured, tmp_path / "nothing", "check")
    assert missing.returncode == 2 and "nothing" in missing.stderr
    plain = {**credential(node, "S-all"), "urls": [secured.url.replace("https", "http")]}
    async with watched(node, "default", bootstrap=False, **plain) as (siem, _):
        with pytest.raises(TargetAwayError):
            await siem.deliver(documents(1, "default"))


@pytest.mark.claim("a credential that was changed in its file is used without a restart", double=DOUBLE)
async def test_a_changed_credential_is_used_without_a_restart(tmp_path, node, secured):
    namespace, secret = new_namespace(), tmp_path / "secret"
    async with watched(node, namespace):
        pass
    secret.write_text("S-bad")
    given = {**credential(node, secret), "urls": [secured.url], "ca_file": secured.ca}
    async with watched(node, namespace, bootstrap=False, **given) as (siem, _):
        with pytest.raises(RefusedError, match="401") as caught:
            await siem.deliver(documents(1, namespace))
        assert "S-bad" not in str(caught.value)
        secret.write_text("S-write\n")
        assert [o.ending for o in await siem.deliver(documents(1, namespace))] == ["delivered"]


@pytest.mark.claim("another address takes over when the first one is away", double=DOUBLE)
async def test_another_address_takes_over(node, secured):
    namespace = new_namespace()
    async with watched(node, namespace):
        pass
    given = {**credential(node, "S-all"), "urls": ["https://127.0.0.1:9", secured.url], "ca_file": secured.ca}
    async with watched(node, namespace, bootstrap=False, **given) as (siem, _):
        assert {o.ending for o in await siem.deliver(documents(5, namespace))} == {"delivered"}
