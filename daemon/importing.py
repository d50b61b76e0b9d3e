"""Rules of somebody else: which of a checkout are for our sources, as they came, with their origin."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final, cast

from connectors.sources.catalogue import KINDS, profile
from daemon.rule_paths import read_file, rule_files, shown
from detectors.event import LogSource
from detectors.sigma.compiled import CompiledFile, CompiledRule
from detectors.sigma.compiling import compile_file
from detectors.sigma.document import Refusal, RuleDocument
from detectors.sigma.rule import routes
from detectors.sigma.rule_yaml import RuleYamlError, yaml_documents
from detectors.sigma.ruleset import RuleSet
from detectors.wording import plain

LICENSE: Final = "DRL-1.1"
LICENSE_ADDRESS: Final = "https://github.com/SigmaHQ/Detection-Rule-License"
ORIGIN: Final = "SigmaHQ/sigma"
_COMMIT: Final = re.compile(r"[0-9a-f]{40}\Z")
_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ +@-]{0,120}\Z")


@dataclass(frozen=True, slots=True)
class Imported:
    """One rule file as it came: its path in the checkout, its text, and who wrote which rule of it."""

    path: str
    text: str
    rules: tuple[Mapping[str, str], ...]

    @property
    def sha256(self) -> str:
        """The digest of its text, in hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return its line of the manifest."""
        return {"path": self.path, "sha256": self.sha256, "rules": [dict(rule) for rule in self.rules]}


@dataclass(slots=True)
class Checkout:
    """What was read of a checkout. `others` counts rules for log sources that Davylamp does not read."""

    commit: str | None
    taken: list[Imported] = field(default_factory=list[Imported])
    refused: list[Refusal] = field(default_factory=list[Refusal])
    others: Counter[str] = field(default_factory=Counter[str])
    ruleset: RuleSet = field(default_factory=lambda: RuleSet((), (), ()))


def read_checkout(path: Path, commit: str | None = None) -> Checkout:
    """Read a folder, an archive or a file of rules; `commit` is what the caller knows of its version.

    Rules for our sources are compiled: one that is refused is named and not taken. Raises
    ConfigurationError for a path that is none.
    """
    found = Checkout(commit or commit_of(path))
    compiled: dict[str, CompiledFile] = {}
    for file in rule_files([path]):
        for one in read_file(file):
            if isinstance(one, Refusal):
                found.refused.append(one)
                continue
            name = _inside(path, one.path)
            if name is None:
                found.refused.append(_unsafe(one))
            elif (made := _compiled(RuleDocument(name, one.text), found)) is not None:
                compiled[name] = made
                found.taken.append(Imported(name, one.text, tuple(_heads(one.text))))
    found.ruleset = RuleSet.of(compiled[one.path] for one in found.taken)
    late = {refusal.path for refusal in found.ruleset.refusals}
    found.refused += found.ruleset.refusals
    found.taken = sorted((one for one in found.taken if one.path not in late), key=lambda one: one.path)
    return found


def commit_of(path: Path) -> str | None:
    """Return the commit that a git checkout stands at, read from its files; None when that is not known."""
    for folder in (path, *path.parents):
        git = folder / ".git"
        if git.is_dir():
            return _head(git)
    return None


def _head(git: Path) -> str | None:
    try:
        head = (git / "HEAD").read_text(encoding="utf-8").strip()
        if head.startswith("ref: "):
            name = head.removeprefix("ref: ")
            loose = git / name
            if loose.is_file():
                head = loose.read_text(encoding="utf-8").strip()
            else:
                lines = (git / "packed-refs").read_text(encoding="utf-8").splitlines()
                head = next((line.split()[0] for line in lines if line.endswith(f" {name}")), "")
    except (OSError, UnicodeDecodeError):
        return None
    return head if _COMMIT.match(head) else None


def _compiled(document: RuleDocument, found: Checkout) -> CompiledFile | None:
    """Return a file that is for our sources and compiles; anything else goes to `found`."""
    if not _is_ours(document.text, found):
        return None
    made = compile_file(document)
    found.refused += made.refusals
    foreign = [
        item for item in made.items if isinstance(item, CompiledRule) and not _read_by_us(item.rule.logsource)
    ]
    if made.refusals or foreign or not made.items:
        return None
    return made


def _is_ours(text: str, found: Checkout) -> bool:
    """Return whether a rule of the text may be for our sources; a text that is no YAML is for compiling."""
    try:
        trees = [document.data for document in yaml_documents(text)]
    except RuleYamlError:
        return True
    sources = [_logsource(tree) for tree in trees]
    if any(source is None or _read_by_us(source) for source in sources):
        return any(source is not None and _read_by_us(source) for source in sources)
    for source in sources:
        if source is not None:
            found.others[plain("/".join(part or "*" for part in source), 80)] += 1
    return False


def _logsource(tree: object) -> LogSource | None:
    given: object = cast("dict[str, object]", tree).get("logsource") if isinstance(tree, dict) else None
    if not isinstance(given, dict):
        return None
    known = cast("dict[str, object]", given)
    return LogSource(*(str(v) if (v := known.get(key)) is not None else None for key in LogSource._fields))


def _read_by_us(source: LogSource) -> bool:
    return any(routes(source, profile(kind)) for kind in KINDS)


def _heads(text: str) -> Iterator[Mapping[str, str]]:
    """Yield who wrote what: the attribution that the license asks for, as it stands in each rule."""
    for document in yaml_documents(text):
        tree: object = document.data
        if isinstance(tree, dict):
            known = cast("dict[str, object]", tree)
            wanted = ("id", "title", "author", "date", "modified", "status", "license")
            yield {key: plain(str(known[key]), 400) for key in wanted if known.get(key) is not None}


def _inside(top: Path, path: str) -> str | None:
    """Return a document's path in the checkout; None for one that must not become a file's name."""
    name = PurePosixPath(path)
    for base in (shown(str(top)), shown(str(top.parent)) if top.is_file() else ""):
        if base and name.is_relative_to(base) and str(name) != base:
            name = name.relative_to(base)
            break
    parts = name.parts
    return str(name) if parts and all(_SAFE.match(part) for part in parts) else None


def _unsafe(document: RuleDocument) -> Refusal:
    told = "its path has parts that are not taken as names of files"
    return Refusal(document.path, None, None, told, "Rename it: letters, digits, and . _ + @ - inside")
