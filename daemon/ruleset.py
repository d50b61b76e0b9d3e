"""The rule set that the settings ask for: shipped rules and the operator's folders, read from disk."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import structlog

from config.detection import Detection
from daemon.rule_cache import default_folder
from daemon.rule_loader import RuleLoader
from daemon.rule_paths import read_file, rule_files
from detectors.rules import builtin
from detectors.sigma.document import Refusal, RuleDocument
from detectors.sigma.preparation import Preparation
from detectors.sigma.ruleset import RuleSet


def documents(paths: Iterable[Path]) -> list[RuleDocument]:
    """Return the rule files that can be read, as text. Raises ConfigurationError for a path that is none."""
    return [one for file in rule_files(paths) for one in read_file(file) if not isinstance(one, Refusal)]


def logged(loaded: RuleSet) -> RuleSet:
    """Return `loaded` after one log line for each refusal, with its place and the way out."""
    log = structlog.get_logger("davylamp.rules")
    for refusal in loaded.refusals:
        log.error("rule refused", refusal=str(refusal))
    return loaded


def ruleset(detection: Detection) -> RuleSet:
    """Load shipped rules (unless off) and the operator's. Refusals stand in the result, never silent.

    Raises ConfigurationError for a path that is none, and for a pipeline that cannot be used.
    """
    return loader(detection).load()[0]


def loader(detection: Detection) -> RuleLoader:
    """Return what loads the rules of the settings, also again. Raises ConfigurationError for a pipeline."""
    pipelines = None
    if detection.pipelines:
        from daemon.pipelines import pipelines as load_pipelines  # pySigma: heavy

        pipelines = load_pipelines(detection)
    folder = detection.rule_cache_dir or default_folder()
    return RuleLoader(
        detection.rules,
        Preparation(detection.placeholders, pipelines),
        shipped=builtin() if detection.builtin_rules else (),
        cache_folder=folder if detection.rule_cache else None,
    )
