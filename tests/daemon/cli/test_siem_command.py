"""`davylamp siem` without a cluster: usage, choice of targets, exit codes."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from daemon.cli.siem import siem

AWAY = "{kind: elasticsearch, name: es, urls: ['http://127.0.0.1:9'], api_key: {value: S-key}}"
OPEN = "{kind: opensearch, name: os, urls: ['http://127.0.0.1:9']}"
FILE = "{kind: file, name: lines}"


@pytest.fixture
def run(tmp_path):
    def invoke(targets, *words):
        path = tmp_path / "davylamp.yaml"
        path.write_text(f"forwarding:\n  targets: [{', '.join(targets)}]\n")
        result = CliRunner().invoke(siem, [*words, "--config", str(path)])
        assert "S-key" not in result.output
        return result.exit_code, result.output

    return invoke


@pytest.mark.parametrize("flags", [(), ("--dry-run", "--apply")])
def test_bootstrap_wants_one_of_two_words(run, flags):
    code, output = run([AWAY], "bootstrap", *flags)
    assert code == 2 and "--dry-run" in output


def test_an_unknown_target_is_usage(run):
    code, output = run([AWAY, FILE], "check", "--target", "nobody")
    assert code == 2 and "there are es, lines" in output


@pytest.mark.parametrize("words", [("check",), ("bootstrap", "--dry-run")])
def test_a_file_target_needs_nothing(run, words):
    code, output = run([FILE], *words)
    assert code == 0 and "nothing to install" in output


@pytest.mark.parametrize("words", [("check",), ("bootstrap", "--apply")])
def test_a_cluster_that_is_away_is_exit_code_3(run, words):
    code, output = run([AWAY], *words)
    assert code == 3 and "no connection" in output


def test_a_login_needs_its_password_file(run, tmp_path):
    code, output = run([AWAY], "check", "--username", "u")
    assert code == 2 and "--password-file" in output
    secret = tmp_path / "secret"
    secret.write_text("S-key")
    code, output = run([OPEN], "check", "--api-key-file", str(secret))
    assert code == 2 and "OpenSearch knows no API keys" in output
    assert run([OPEN], "check", "--username", "u", "--password-file", str(secret))[0] == 3
