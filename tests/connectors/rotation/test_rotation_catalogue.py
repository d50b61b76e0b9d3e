"""The catalogue lists what can be rotated, and what that needs."""

from __future__ import annotations

import pytest
import yaml
from pydantic import SecretStr

from config.errors import ConfigurationError
from config.response import DatabaseProbe, Response, Target
from config.secret import Secret
from config.settings import Settings
from connectors.rotation.catalogue import handler_types, handlers, policy
from connectors.rotation.tools import Tools
from connectors.vault.client import VaultClient
from connectors.vault.secret_text import SecretText


def tools(settings: Settings) -> Tools:
    return Tools(
        settings,
        VaultClient("http://127.0.0.1:1", str),
        lambda _seconds: None,
        lambda: SecretText("random"),
    )


def test_every_handler_says_what_it_may_do_and_shows_an_example():
    types = handler_types()
    assert list(types) == ["database_static_role"]
    for kind, handler in types.items():
        example = Target.model_validate(yaml.safe_load(handler.example))
        assert example.kind == kind
        assert handler.permissions


def test_the_least_policy_names_each_target_and_nothing_with_a_star():
    targets = (Target(name="one"), Target(name="two", mount="team/database"))
    text = policy(Settings(response=Response(targets=targets)))
    assert 'path "database/rotate-role/one" { capabilities = ["update"] }' in text
    assert 'path "team/database/static-creds/two" { capabilities = ["read"] }' in text
    assert "*" not in text
    assert "$" not in text


def test_targets_without_the_observers_password_are_named_together():
    known = DatabaseProbe(observer_password=Secret(value=SecretStr("x")))
    targets = (Target(name="one"), Target(name="two", probe=known), Target(name="three"))
    with pytest.raises(ConfigurationError) as error:
        handlers(tools(Settings(response=Response(targets=targets))))
    assert [problem.key for problem in error.value.problems] == [
        "response.targets.0.probe.observer_password",
        "response.targets.2.probe.observer_password",
    ]


def test_steps_end_sessions_before_the_seconds_of_refusals():
    names = [step.name for step in handler_types()["database_static_role"].STEPS]
    assert names == [
        "escrow",
        "negative_control",
        "rotate",
        "new_accepted",
        "sessions_gone",
        "old_refused",
        "prove",
    ]
    assert [step.name for step in handler_types()["database_static_role"].STEPS if step.irreversible] == [
        "rotate"
    ]
