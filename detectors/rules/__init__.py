"""The rules that ship with Davylamp: one YAML file a rule, its test events beside it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable

from detectors.sigma.document import RuleDocument


def builtin() -> list[RuleDocument]:
    """Return every shipped rule, sorted by path; paths are relative to this package."""
    return sorted(_documents(files(__name__), ""), key=lambda document: document.path)


def _documents(folder: Traversable, prefix: str) -> Iterator[RuleDocument]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _documents(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".yml"):
            yield RuleDocument(f"{prefix}{entry.name}", entry.read_text(encoding="utf-8"))
