"""The rules that an operator asked for: the shipped ones and those of files and folders."""

from __future__ import annotations

from pathlib import Path

import structlog

from config.detection import Detection
from detectors import rules as shipped
from detectors.sigma.document import RuleDocument
from detectors.sigma.ruleset import RuleSet


def load_rules(detection: Detection) -> RuleSet:
    """Return the rule set; each refusal is logged with its place. Raises OSError for an unreadable path."""
    documents = list(shipped.builtin()) if detection.builtin_rules else []
    documents += [document for path in detection.rules for document in _documents(path)]
    ruleset = RuleSet.load(documents)
    log = structlog.get_logger("davylamp.rules")
    for refusal in ruleset.refusals:
        log.error("rule refused", refusal=str(refusal))
    return ruleset


def _documents(path: Path) -> list[RuleDocument]:
    files = sorted(path.rglob("*.y*ml")) if path.is_dir() else [path]
    return [RuleDocument(str(file), file.read_text(encoding="utf-8")) for file in files]
