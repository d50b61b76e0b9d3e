"""No token of Vault is ever shown: not in a summary, an entity or a document, wherever it stood."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from connectors.sources.catalogue import profile
from connectors.sources.vault_path import shown
from detectors.event import Locator

VAULT = profile("vault_audit")
SECRET = "AbCdEfGhIjKlMnOpQrStUvWx"
TOKENS = [
    f"hvs.CAESI{SECRET}0123",
    f"s.{SECRET}",
    f"s.{SECRET}.n4m3s",
    f"hvb.AAAAAQ{SECRET}0123",
    f"b.AAAAAQ{SECRET}0123",
    f"hvr.AAAAAQ{SECRET}0123",
]
PLACES = {
    "lookup path": {"request": {"path": "auth/token/lookup/{}"}},
    "lease path": {"request": {"path": "sys/leases/renew/{}"}},
    "path in the middle": {"request": {"path": "cubbyhole/{}/x"}},
    "query": {"request": {"path": "x?token={}"}},
    "request uri": {"request": {"request_uri": "/v1/auth/token/lookup/{}"}},
    "request data": {"request": {"data": {"token": "{}", "note": "{}"}}},
    "headers": {"request": {"headers": {"x-vault-token": ["{}"], "authorization": ["Bearer {}"]}}},
    "raw client token": {"request": {"client_token": "{}"}, "auth": {"client_token": "{}"}},
    "display name": {"auth": {"display_name": "{}"}},
    "metadata": {"auth": {"metadata": {"note": "{}"}}},
    "error of several lines": {"error": "1 error occurred:\n\t* bad token {}\n\n"},
    "answer": {"response": {"auth": {"client_token": "{}"}, "data": {"id": "{}"}}},
    "wrapping": {"response": {"wrap_info": {"token": "{}", "creation_path": "x"}}},
    "warnings": {"response": {"warnings": ["token {} expires"]}},
    "redirect": {"response": {"redirect": "https://vault.example/?token={}"}},
    "lease": {"response": {"secret": {"lease_id": "auth/token/create/{}"}}},
}


def with_token(value: Any, token: str) -> Any:
    """Return `value` with the token in every text that has a place for one."""
    if isinstance(value, dict):
        return {key: with_token(item, token) for key, item in value.items()}
    if isinstance(value, list):
        return [with_token(item, token) for item in value]
    return value.replace("{}", token) if isinstance(value, str) else value


def entry(place, token):
    """Return an answered entry with the token in `place`."""
    record = {"time": "2026-11-23T06:09:13Z", "type": "response", "auth": {"display_name": "shop"}}
    said = with_token(PLACES[place], token)
    request = {"id": "503fe0c4", "operation": "update", "path": "kv/data/x", "remote_address": "10.0.0.4"}
    record |= {**said, "request": {**request, **said.get("request", {})}}
    return VAULT.parse(record, Locator("t", 0, 7, 0))


@pytest.mark.parametrize("token", TOKENS, ids=[token[:4] for token in TOKENS])
@pytest.mark.parametrize("place", PLACES)
def test_a_token_is_never_shown(place, token):
    event = entry(place, token)
    said = VAULT.summary(event) + "".join(found.id for found in VAULT.entities(event))
    assert SECRET not in said
    assert SECRET.encode() not in orjson.dumps(VAULT.ecs(event))


def test_a_token_of_anybody_s_choice_is_not_shown_where_a_path_takes_one():
    assert shown("auth/token/revoke/my-root") == "auth/token/revoke/[redacted]"
    assert shown("auth/token/lookup/a/b") == "auth/token/lookup/[redacted]"
    assert shown("auth/token/roles/my-role") == "auth/token/roles/my-role"
    assert shown("kv/data/auth/tokens") == "kv/data/auth/tokens"


def test_a_long_path_is_masked_as_a_short_one_is():
    assert SECRET not in shown("x/" * 2000 + TOKENS[0])
