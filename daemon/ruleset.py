"""The rule set that the settings ask for: shipped rules and the operator's folders, read from disk."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import structlog

from config.detection import Detection
from config.inventory import read_inventory
from daemon.rule_cache import default_folder
from daemon.rule_loader import RuleLoader
from daemon.rule_paths import read_file, rule_files
from detectors.inventory.shipped import classes, placeholders
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


def placeholders_of(detection: Detection) -> dict[str, tuple[str | int | float, ...]]:
    """Return the values for `expand`: classes of the inventory, and over them what the settings name.

    Raises ConfigurationError for an inventory file that cannot be read.
    """
    added = read_inventory(detection.inventory, classes())
    return {**placeholders(added), **detection.placeholders}


def loader(detection: Detection) -> RuleLoader:
    """Return what loads the rules of the settings, also again.

    Raises ConfigurationError for a pipeline or an inventory.
    """
    pipelines = None
    if detection.pipelines:
        from daemon.pipelines import pipelines as load_pipelines  # pySigma: heavy

        pipelines = load_pipelines(detection)
    folder = detection.rule_cache_dir or default_folder()
    return RuleLoader(
        detection.rules,
        Preparation(placeholders_of(detection), pipelines),
        shipped=builtin() if detection.builtin_rules else (),
        cache_folder=folder if detection.rule_cache else None,
    )
