"""Configuration: file < environment < flags, every error at once with its place, secrets masked."""

from pathlib import Path

import pytest
import yaml

from config.dump import MASK, masked, revealed
from config.errors import ConfigurationError
from config.loader import load
from config.scope import scoped
from config.settings import ROLES, Settings

DATA = Path(__file__).parent / "data"
DEFAULT = Path(__file__).parents[2] / "config" / "default.yaml"


def problems(path: Path, **kwargs) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(path, **kwargs)
    return [str(problem) for problem in caught.value.problems]


def test_default_yaml_names_every_option_with_its_default():
    assert yaml.safe_load(DEFAULT.read_text()) == masked(Settings())


def test_every_line_with_an_option_that_needs_words_has_a_comment_or_a_section():
    lines = [line for line in DEFAULT.read_text().splitlines() if ":" in line and not line.startswith("#")]
    assert sum("#" in line for line in lines) > len(lines) / 2


def test_all_errors_come_at_once_each_with_line_and_key():
    found = problems(DATA / "wrong.yaml")
    places = {line.split(": ")[0].rsplit(":", 1)[1] + " " + line.split(": ")[1] for line in found}
    assert places == {
        "1 site",
        "3 kafka.borkers",
        "4 kafka.session_timeout_s",
        "6 response.mode",
        "8 response.targets[0].classification",
        "9 response.targets[1].name",
        "12 forwarding.targets[0].name",
        "14 web.port",
    }


def test_a_misspelt_key_is_told_the_nearest_and_the_allowed():
    line = next(line for line in problems(DATA / "wrong.yaml") if "borkers" in line)
    assert "did you mean 'brokers'" in line
    assert "session_timeout_s" in line


def test_an_allowed_value_list_is_in_the_message():
    line = next(line for line in problems(DATA / "wrong.yaml") if "response.mode" in line)
    assert "'propose'" in line and "'auto'" in line and "'automatic'" in line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kafka: [", "not YAML"),
        ("- a list", "must be a mapping"),
        ("site: a\nsite: b\n", ":2: site: is given twice"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused_with_its_line(tmp_path, text, expected):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    assert expected in problems(path)[0]


def test_a_missing_file_says_so(tmp_path):
    assert "cannot be read: No such file" in problems(tmp_path / "none.yaml")[0]


def test_environment_beats_file_and_flags_beat_environment(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("vault: {address: 'http://file:1', timeout_s: 1}\nsite: file\n")
    settings = load(
        path,
        environment={
            "DAVYLAMP_VAULT__ADDRESS": "http://env:1",
            "DAVYLAMP_VAULT__TIMEOUT_S": "2",
            "DAVYLAMP_KAFKA__BROKERS": "[a:1, b:2]",
            "DAVYLAMP_APPROVER_TOKEN": "not a setting",
            "PATH": "/bin",
        },
        flags={"vault.timeout_s": 3},
    )
    assert (settings.vault.address, settings.vault.timeout_s, settings.site) == ("http://env:1", 3.0, "file")
    assert settings.kafka.brokers == ("a:1", "b:2")


def test_a_wrong_environment_variable_is_named(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("site: a\n")
    found = problems(path, environment={"DAVYLAMP_WEB__PORTT": "1"})
    assert found[0].startswith("environment DAVYLAMP_WEB__PORTT")


def test_secrets_are_masked_when_shown_and_absent_from_errors_and_repr(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("vault: {token: {value: canary-5ecret}}\n")
    settings = load(path)
    assert "canary-5ecret" not in repr(settings) + str(masked(settings))
    assert masked(settings)["vault"]["token"]["value"] == MASK
    path.write_text("vault: {token: {value: [canary-5ecret]}}\n")
    assert "canary-5ecret" not in "".join(problems(path))


def test_a_secret_file_is_read_at_use_and_its_absence_names_the_file(tmp_path):
    path = tmp_path / "token"
    settings = load(None, flags={"vault.token.file": str(path)})
    with pytest.raises(ValueError, match="token"):
        settings.vault.token.reveal()
    path.write_text("abc\n")
    assert settings.vault.token.reveal() == "abc"


ALL_SECRETS = {
    "kafka.password.value": "S-kafka",
    "vault.token.value": "S-vault",
    "response.database_url.value": "S-sql",
    "response.targets": [{"name": "a", "probe": {"observer_password": {"value": "S-probe"}}}],
    "notify": [{"url": {"value": "S-hook"}}],
    "canary.key": {"value": "S-canary"},
    "evidence.signing_key": {"value": "S-evidence"},
    "forwarding.targets": [{"kind": "elasticsearch", "api_key": {"value": "S-siem"}}],
    "web.approvers": [{"name": "alice", "token_sha256": "5" * 64}],
}
MAY_HOLD = {
    "detect": {"S-kafka", "S-canary"},
    "correlate": {"S-kafka"},
    "forward": {"S-kafka", "S-siem"},
    "respond": {"S-kafka", "S-vault", "S-sql", "S-probe", "S-hook"},
    "web": {"S-sql", "5" * 64},
}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_holds_only_its_own_secrets(role):
    held = str(revealed(scoped(load(None, flags=ALL_SECRETS), role)))
    every = set().union(*MAY_HOLD.values(), {"S-evidence"})
    assert {secret for secret in every if secret in held} == MAY_HOLD[role]


def test_settings_survive_the_pipe_to_a_role():
    settings = load(None, flags=ALL_SECRETS)
    assert revealed(Settings.model_validate(revealed(settings))) == revealed(settings)
