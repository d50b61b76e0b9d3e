"""Where keys travel: never in plaintext beyond this machine."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from connectors.aws.account import Account
from connectors.rotation.kv_http_key import KvHttpKeyTarget

PLAIN = (
    "http://iam.example/",
    "http://127.0.0.1.example/",
    "http://localhost@evil.example/",
    "https://user:pass@iam.example/",
    "ftp://iam.example/",
    "https://iam.example/\nx",
    "http://localhost.example:80/",
)


@pytest.mark.parametrize("url", PLAIN)
def test_an_address_without_encryption_is_refused(url: str):
    with pytest.raises(ValidationError):
        Account(iam_endpoint=url)
    with pytest.raises(ValidationError):
        KvHttpKeyTarget(name="maps", keys_url=url, probe_url="https://maps.example/me")


@pytest.mark.parametrize(
    "url", ["https://iam.amazonaws.com/", "https://iam.example:8443/x", "http://127.0.0.1:5000/"]
)
def test_an_encrypted_or_local_address_is_taken(url: str):
    assert Account(iam_endpoint=url).iam_endpoint == url
    assert KvHttpKeyTarget(name="maps", keys_url=url, probe_url=url).path == "maps"
