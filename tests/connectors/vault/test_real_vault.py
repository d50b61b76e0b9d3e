"""The client on a real OpenBao with the least policy."""

from __future__ import annotations

import time
import traceback

import pytest

from connectors.vault.client import VaultClient, clock_skew
from connectors.vault.error import VaultAwayError, VaultDeniedError, VaultRefusedError
from connectors.vault.secret_text import SecretText

pytestmark = pytest.mark.integration


def client(scene, settings) -> VaultClient:
    return VaultClient(settings.vault.address, settings.vault.token.reveal)


def test_health_says_the_vaults_clock(scene):
    vault = VaultClient(scene.vault.address, lambda: "")
    health = vault.health()
    assert not health.sealed
    assert abs(clock_skew(health, time.time())) < 2


def test_transit_gives_back_what_it_was_given(scene):
    vault = client(scene, scene.settings(scene.target()))
    secret = SecretText("pä$$wörd")
    ciphertext = vault.encrypt("transit", "davylamp-escrow", secret)
    assert secret.reveal() not in ciphertext
    assert vault.decrypt("transit", "davylamp-escrow", ciphertext).same_as(secret)


def test_fingerprints_tell_two_secrets_apart(scene):
    vault = client(scene, scene.settings(scene.target()))
    one, other = SecretText("one"), SecretText("other")
    marks = [vault.fingerprint("transit", "davylamp-escrow", item) for item in (one, one, other)]
    assert marks[0] == marks[1] != marks[2]


def test_another_role_is_denied_by_the_least_policy(scene):
    vault = client(scene, scene.settings(scene.target()))
    other = scene.target()
    for call in (vault.static_credentials, vault.static_role, vault.rotate_static_role):
        with pytest.raises(VaultDeniedError):
            call("database", other.name)


def test_a_role_that_is_not_there_is_refused(scene):
    vault = VaultClient(scene.vault.address, lambda: scene.vault.root_token)
    with pytest.raises(VaultRefusedError):
        vault.static_credentials("database", "nobody")


def test_an_error_of_the_vault_carries_neither_its_text_nor_the_token(scene):
    settings = scene.settings(scene.target())
    vault = client(scene, settings)
    with pytest.raises(VaultDeniedError) as error:
        vault.static_credentials("database", scene.target().name)
    assert error.value.__context__ is None
    shown = "".join(traceback.TracebackException.from_exception(error.value, capture_locals=True).format())
    assert settings.vault.token.reveal() not in shown
    assert "permission denied" not in shown


def test_our_identity_is_told(scene):
    identity = client(scene, scene.settings(scene.target())).identity()
    assert identity.accessor


def test_a_sealed_vault_is_away_and_health_says_so(own_scene):
    settings = own_scene.settings(own_scene.target())
    vault = client(own_scene, settings)
    own_scene.vault.seal()
    with pytest.raises(VaultAwayError) as error:
        vault.identity()
    assert error.value.why == "sealed"
    assert vault.health().sealed
