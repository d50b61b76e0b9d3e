"""Documents are tested: every dependency has its line, the README names the two commands."""

import re
import tomllib
from pathlib import Path

from config.loader import load
from connectors.rotation.catalogue import policy

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def name_of(requirement: str) -> str:
    return re.match(r"[A-Za-z0-9_.-]+", requirement).group(0).lower()


def test_every_dependency_has_a_line_that_says_why():
    text = (ROOT / "docs" / "dependencies.md").read_text()
    rows = re.findall(r"^\| ([a-z0-9_., -]+) \|", text, re.M)
    listed = {name.strip() for row in rows for name in row.split(",")}
    wanted = {name_of(r) for r in PROJECT["project"]["dependencies"]}
    wanted |= {name_of(r) for group in PROJECT["dependency-groups"].values() for r in group}
    assert wanted == listed - {"package"}


def test_locks_are_hashed_and_name_no_index():
    for lock in ("requirements.lock", "requirements-demo.lock", "requirements-dev.lock"):
        text = (ROOT / lock).read_text()
        pins = re.findall(r"^[a-z0-9_.\[\],-]+==", text, re.M)
        assert pins and text.count("--hash=sha256:") >= len(pins), lock
        assert "://" not in text and "--index" not in text, lock


def test_the_demo_parts_are_not_in_the_image():
    lock = (ROOT / "requirements.lock").read_text()
    assert not any(name_of(part) + "==" in lock for part in PROJECT["dependency-groups"]["demo"])


def test_the_readme_names_the_two_commands():
    text = (ROOT / "README.md").read_text()
    assert "make run" in text and "make test" in text


def test_the_documented_vault_policy_is_the_one_that_the_handler_declares():
    declared = policy(load(None, flags={"response.targets": [{"name": "analytics"}]}))
    assert declared.strip() in (ROOT / "docs" / "targets.md").read_text()
