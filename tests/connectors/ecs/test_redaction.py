"""What is masked, what stays, and that no text takes long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.ecs.redaction import MASK, redact, redact_text

# Built from parts, so that no scanner takes this file for a leak.
VAULT = "hvs." + "CAESIJ" + "a1B2" * 8
OLD_VAULT = "s." + "a1B2c3" * 4
JWT = "eyJhbGciOiJSUzI1NiJ9" + "." + "eyJzdWIiOiJ4In0" + "." + "c2ln"
AWS = "wJalrXUtnFEMI/K7MDENG" + "/bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize(
    "text",
    [
        f"login with {VAULT} now",
        f"token {OLD_VAULT}",
        f"hvb.{VAULT[4:]}",
        f"/v1/x?a={JWT}&b=1",
        f"aws_secret_access_key={AWS}",
        f'{{"awsSecret": "{AWS}"}}',
        f"aws configure set aws_secret_access_key {AWS}",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_token_shapes_are_masked(text):
    shown = redact_text(text)
    assert MASK in shown
    for secret in (VAULT[4:], OLD_VAULT, JWT, AWS, "MIIabc"):
        assert secret not in shown


@pytest.mark.parametrize(
    "text",
    [
        "psql password=hunter2hunter2",
        "PGPASSWORD%3Dhunter2hunter2",
        '{"password": "hunter2hunter2"}',
        '{\\"password\\":\\"hunter2hunter2\\"}',
        "pwd: hunter2hunter2",
        "postgresql://app:hunter2hunter2@db:5432/x",
        "?access_token=hunter2hunter2&x=1",
    ],
)
def test_assigned_secrets_are_masked(text):
    assert "hunter2hunter2" not in redact_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/db-AbCdEf",
        "cloudtrail.amazonaws.com",
        "hmac-sha256:" + "0123456789abcdef" * 4,
        "sha256:" + "0123456789abcdef" * 4,
        "0123456789abcdef0123456789abcdef01234567",
        "aws-cli/2.17.9 md/awscrt#0.20.11 ua/2.0 os/linux#6.1",
        "serviceaccounts.token created for reporter",
        "system:serviceaccount:terraminer:token-reviewer",
        '{"secretId":"prod/db"}',
        "/v1/secret/data/app",
    ],
)
def test_ordinary_texts_stay(text):
    assert redact_text(text) == text


def test_keys_decide_too():
    found = redact(
        {
            "password": "short",
            "masterUserPassword": "a",
            "secretString": ["b"],
            "SecretAccessKey": "c",
            "client_token": "hmac-sha256:00",
            "env": [{"name": "DB_PASSWORD", "value": "d"}, {"name": "HOME", "value": "/root"}],
            "volumes": [{"secret": {"secretName": "regcred"}}],
            "tokenTtl": 5,
            "otp": 123,
        }
    )
    assert found == {
        "password": MASK,
        "masterUserPassword": MASK,
        "secretString": [MASK],
        "SecretAccessKey": MASK,
        "client_token": "hmac-sha256:00",
        "env": [{"name": "DB_PASSWORD", "value": MASK}, {"name": "HOME", "value": "/root"}],
        "volumes": [{"secret": {"secretName": "regcred"}}],
        "tokenTtl": 5,
        "otp": 123,
    }


@pytest.mark.parametrize(
    "piece", ["a", "secret", "pass=", "://:", "-----BEGIN ", "eyJa.", "s.a", "A1a/", '\\"', " "]
)
def test_long_hostile_texts_are_read_quickly(piece):
    assert isinstance(redact_text("secret aws :// @ = " + piece * (64_000 // len(piece))), str)


@given(st.text(max_size=300))
def test_redacting_twice_changes_nothing_more(text):
    once = redact_text(text)
    assert redact_text(once) == once or MASK in once
