"""The catalogue lists what can be rotated, and what that needs."""

from __future__ import annotations

import pytest
import yaml
from pydantic import SecretStr

from config.dump import masked, revealed
from config.errors import ConfigurationError
from config.loader import load
from config.response import DatabaseProbe, Response, Target
from config.scope import scoped
from config.secret import Secret
from config.settings import Settings
from connectors.rotation.catalogue import handler_types, handlers, policy, target_kinds, typed
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
    assert "database_static_role" in types
    for kind, handler in types.items():
        example = handler.TARGET.model_validate(yaml.safe_load(handler.example))
        assert example.kind == kind
        assert handler.best_grade in ("A", "B", "C")
        assert handler.STEPS


def test_what_cannot_be_undone_is_said_in_words():
    for kind, handler in handler_types().items():
        final = [step for step in handler.STEPS if step.irreversible]
        assert bool(final) == bool(handler.irreversible), kind
        assert not [step for step in final if step.undo], kind


def test_every_kind_marks_when_it_rotated_and_when_the_thief_is_out():
    for kind, handler in handler_types().items():
        marks = [step.milestone for step in handler.STEPS if step.milestone]
        assert "contained" in marks, kind


def test_a_key_that_the_kind_does_not_know_is_named_with_its_line(tmp_path):
    path = tmp_path / "davylamp.yaml"
    path.write_text("response:\n  targets:\n    - name: one\n      prob: {host: db}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as error:
        load(path, target_kinds=target_kinds())
    [problem] = error.value.problems
    assert problem.place == f"{path}:4"
    assert problem.key == "response.targets[0].prob"
    assert "did you mean 'probe'" in str(problem)


def test_a_kind_that_nobody_handles_is_refused_with_the_kinds_there_are(tmp_path):
    path = tmp_path / "davylamp.yaml"
    path.write_text("response:\n  targets:\n    - {kind: telepathy, name: one}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="unknown kind; allowed: "):
        load(path, target_kinds=target_kinds())
    with pytest.raises(ConfigurationError, match="is no kind"):
        handlers(tools(load(path)))


def test_secrets_of_a_target_stay_secret_and_with_respond_before_its_kind_is_known():
    secret = {"name": "one", "probe": {"host": "db", "observer_password": {"value": "S-probe"}}}
    settings = Settings.model_validate({"response": {"targets": [secret]}})
    assert "S-probe" not in str(settings) + str(masked(settings)) + str(scoped(settings, "web"))
    again = Settings.model_validate(revealed(scoped(settings, "respond")))
    [target] = typed(again).response.targets
    assert target.probe.observer_password.reveal() == "S-probe"


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
