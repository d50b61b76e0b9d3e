"""The rule set that the settings ask for: shipped rules and the operator's folders, read from disk."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import structlog

from config.detection import Detection
from config.errors import ConfigurationError, Problem
from config.folder import files_in
from detectors.rules import builtin
from detectors.sigma.document import RuleDocument
from detectors.sigma.ruleset import RuleSet

_SUFFIXES = (".yml", ".yaml")


def documents(paths: Iterable[Path]) -> list[RuleDocument]:
    """Read rule files, of folders all `.yml` and `.yaml`. Raises ConfigurationError with every bad path."""
    found: list[RuleDocument] = []
    problems: list[Problem] = []
    for path in paths:
        for file in files_in(path, _SUFFIXES):
            try:
                found.append(RuleDocument(str(file), file.read_text(encoding="utf-8")))
            except (OSError, UnicodeDecodeError) as error:
                problems.append(Problem(str(file), "", f"cannot be read: {error}"))
    if problems:
        raise ConfigurationError(problems)
    return found


def logged(loaded: RuleSet) -> RuleSet:
    """Return `loaded` after one log line for each refusal, with its place and the way out."""
    log = structlog.get_logger("davylamp.rules")
    for refusal in loaded.refusals:
        log.error("rule refused", refusal=str(refusal))
    return loaded


def ruleset(detection: Detection) -> RuleSet:
    """Load shipped rules (unless off) and the operator's. Refusals stand in the result, never silent."""
    shipped = builtin() if detection.builtin_rules else []
    return RuleSet.load([*shipped, *documents(detection.rules)], detection.placeholders)
