"""Davylamp's own logins become entries of the deny list, and reach the role that acts."""

from __future__ import annotations

import pytest
from pydantic import SecretStr, ValidationError

from config.cluster import Cluster
from config.containment import Containment, ContainmentTarget
from config.denial import Denied
from config.forwarding import ElasticsearchTarget, Forwarding
from config.kafka import Kafka
from config.own_logins import own_denials
from config.response import Response
from config.scope import scoped
from config.secret import Secret
from config.settings import Settings

HIDDEN = Secret(value=SecretStr("hunter2"))
URL = Secret(value=SecretStr("postgresql+psycopg://davylamp%2Drespond:hunter2@db.example/davylamp"))


def settings() -> Settings:
    return Settings(
        kafka=Kafka(username="davylamp-kafka", password=HIDDEN),
        forwarding=Forwarding(targets=(ElasticsearchTarget(username="davylamp-siem", password=HIDDEN),)),
        response=Response(
            database_url=URL,
            deny=(Denied(name="break-glass", targets=("*:database/admin",)),),
            containment=Containment(
                targets=(ContainmentTarget(mount="shop", name="deployment"),), cluster=Cluster(token=HIDDEN)
            ),
        ),
    )


def test_each_own_login_is_an_entry_beside_the_operators():
    found = own_denials(settings())
    assert found[0].name == "break-glass"
    assert {login for entry in found for login in entry.logins} == {
        "davylamp-kafka",
        "davylamp-respond",
        "davylamp-siem",
    }
    assert "hunter2" not in repr(found)


def test_respond_knows_the_siems_login_though_it_never_sees_its_secret():
    mine = scoped(settings(), "respond")
    assert mine.forwarding.targets == ()
    assert "davylamp-siem" in {login for entry in mine.response.deny for login in entry.logins}
    assert own_denials(mine) == own_denials(settings())


@pytest.mark.parametrize("role", ["detect", "correlate", "forward", "web"])
def test_no_other_role_holds_the_clusters_token(role):
    held = scoped(settings(), role).response.containment
    assert held.cluster == Cluster()
    assert held.targets


def test_no_login_and_an_unreadable_address_make_no_entry(tmp_path):
    url = Secret(file=tmp_path / "none")
    assert own_denials(Settings(response=Response(database_url=url))) == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "x", "entities": ["namespace"]},
        {"name": "x", "targets": [""]},
        {"name": "x", "login": "y"},
    ],
)
def test_an_entry_that_says_nothing_clear_is_refused(wrong):
    with pytest.raises(ValidationError):
        Denied.model_validate(wrong)


@pytest.mark.parametrize("name", ["Deployment", "deployment/", "deployment/web/x", "*", "../x", ""])
def test_a_containment_target_has_a_plain_name(name):
    with pytest.raises(ValidationError):
        ContainmentTarget(mount="shop", name=name)
