"""YAML of a rule repository that is no rule and is not meant as one, told apart by what stands in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_RULE: Final = frozenset(
    {"action", "correlation", "detection", "filter", "id", "level", "logsource", "status", "title"}
)
_SECTIONS: Final = frozenset({"action", "correlation", "detection", "filter", "logsource"})
_PIPELINE: Final = frozenset({"finalizers", "postprocessing", "transformations"})
_TESTS: Final = frozenset({"regression_tests_info", "rule_metadata"})
_TEST_NAMES: Final = (".test.yml", ".test.yaml", ".tests.yml", ".tests.yaml")


def other_kind(path: str, document: Mapping[object, object]) -> str | None:
    """Return what a document is when it is no rule: a plural for people. None: it is meant as a rule."""
    keys = set(document)
    if keys & _SECTIONS:
        return None
    if path.endswith(_TEST_NAMES) or keys & _TESTS:
        return "tests of rules"
    if keys & _PIPELINE:
        return "pipelines"
    if "jobs" in keys and keys & {"on", True}:
        return "workflows"
    return None if keys & _RULE else "other YAML"
