"""docs/install.md speaks of values, files and commands that are there."""

import re

import click
import yaml
from crds.chart import CHART, ROOT

from daemon.cli.main import cli

TEXT = (ROOT / "docs" / "install.md").read_text()
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
CODE = re.findall(r"`([^`\n]+)`", TEXT)


def test_every_value_that_it_names_is_one():
    named = {word for word in CODE if re.fullmatch(r"[a-z][A-Za-z]*(\.[A-Za-z<>_]+)+", word)}
    named = {word for word in named if word.split(".")[0] in VALUES and word.split(".")[0] != "config"}
    assert len(named) >= 15
    for word in named:
        place = VALUES
        for key in word.replace("<role>", "detect").split("."):
            assert key in place, word
            place = place[key]


def test_every_file_that_it_names_is_there():
    files = {word for word in CODE if word.startswith(("helm/", "tests/")) and "*" not in word}
    assert files
    for file in files:
        assert (ROOT / file).exists(), file


def test_every_command_of_the_program_that_it_names_is_one():
    commands = [word.split()[1:] for word in CODE if word.startswith("davylamp ")]
    assert len(commands) >= 4
    for words in commands:
        command: click.Command | None = cli
        for word in words:
            if word.startswith("-"):
                assert command is not None and any(word in option.opts for option in command.params), words
                continue
            assert isinstance(command, click.Group), words
            command = command.get_command(click.Context(command), word)
            assert command is not None, words


def test_the_build_arguments_that_it_gives_are_those_of_the_dockerfile():
    given = set(re.findall(r"--build-arg (\w+)=", TEXT))
    assert given and given <= set(re.findall(r"^ARG (\w+)", (ROOT / "Dockerfile").read_text(), re.M))


def test_every_value_of_the_chart_says_what_it_is():
    text = (CHART / "values.yaml").read_text()
    said = set(re.findall(r"^# -- .+\n(?:#.*\n)*([a-zA-Z]+):", text, re.M))
    assert said == set(VALUES)
