"""A play of one seed as files, and what the shipped rules find in it: made once for all tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from config.detection import Detection
from daemon.lab.folder import INVENTORY, write
from daemon.lab.judging import findings_of
from daemon.lab.script import Plan, Script, written
from daemon.ruleset import ruleset
from detectors.sigma.ruleset import RuleSet

SEED = 20_260
BACKGROUND = 250


class Files(NamedTuple):
    script: Script
    folder: Path
    labels: dict[str, Any]


class Lab(NamedTuple):
    labels: dict[str, Any]
    findings: list[dict[str, Any]]


@pytest.fixture(scope="session")
def lab_files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("lab")
    script = written(Plan(SEED, background=BACKGROUND))
    return Files(script, folder, write(script, folder))


@pytest.fixture(scope="session")
def shipped(lab_files: Files) -> RuleSet:
    """The shipped rules, told what is what at that company."""
    return ruleset(Detection(inventory=(lab_files.folder / INVENTORY,)))


@pytest.fixture(scope="session")
def lab(lab_files: Files, shipped: RuleSet) -> Lab:
    return Lab(lab_files.labels, list(findings_of(lab_files.folder, shipped)))
