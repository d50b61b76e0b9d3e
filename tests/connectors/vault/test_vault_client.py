"""The vault's client: paths, errors that say nothing secret, and the vault's clock."""

from __future__ import annotations

import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.vault.client import VaultClient, clock_skew
from connectors.vault.error import VaultAwayError, VaultRefusedError
from connectors.vault.replies import VaultHealth, rotation

TOKEN = "hvs.kanari-token"


@pytest.fixture
def nowhere() -> VaultClient:
    """A client of an address where nothing listens."""
    return VaultClient("http://127.0.0.1:1", lambda: TOKEN, timeout_s=0.5)


def test_a_vault_that_is_not_there_is_away_and_nothing_chains_to_the_request(nowhere):
    with pytest.raises(VaultAwayError) as error:
        nowhere.identity()
    assert error.value.why == "unreachable"
    assert error.value.__context__ is None
    shown = "".join(traceback.format_exception(error.value))
    assert TOKEN not in shown


@pytest.mark.parametrize(
    "name", ["../sys/seal", "a/../b", "a?b", "a b", "", "/a", "a/", "x" * 257, "a%2e", "ä"]
)
def test_a_name_that_is_no_path_segment_is_refused_before_anything_is_sent(nowhere, name):
    with pytest.raises(VaultRefusedError, match="not a vault path"):
        nowhere.static_role("database", name)


@given(st.text(max_size=64))
def test_any_text_as_a_name_ends_in_a_named_error(text):
    client = VaultClient("http://127.0.0.1:1", lambda: TOKEN, timeout_s=0.5)
    with pytest.raises((VaultRefusedError, VaultAwayError)):
        client.rotate_static_role("database", text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-23T06:44:33.123456789Z", 1795416273.123456),
        ("2026-11-23T07:44:33+01:00", 1795416273.0),
    ],
)
def test_the_vaults_times_are_read_to_the_microsecond(text, seconds):
    assert rotation(text).at == pytest.approx(seconds, abs=1e-6)
    assert rotation(text).mark == text


@pytest.mark.parametrize(
    ("server", "now", "ahead"), [(100.0, 100.9, 0.0), (100.0, 131.0, -31.0), (140.0, 100.0, 40.0)]
)
def test_skew_is_judged_to_the_vaults_whole_second(server, now, ahead):
    assert clock_skew(VaultHealth(False, False, server, "2"), now) == ahead
