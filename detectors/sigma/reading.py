"""YAML to pySigma objects, one document at a time, with the line of whatever is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

import yaml
from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError, SigmaRuleLocation
from sigma.filters import SigmaFilter
from sigma.rule import SigmaRule  # pyright: ignore[reportMissingTypeStubs]
from sigma.rule.base import SigmaYAMLLoader  # pyright: ignore[reportMissingTypeStubs]

from detectors.sigma.document import Refusal, RuleDocument, SigmaRuleError
from detectors.sigma.spelling import respelt

MAX_DOCUMENT: Final = 1 << 20
Parsed: TypeAlias = SigmaRule | SigmaCorrelationRule | SigmaFilter
# What pySigma lets escape for YAML that is no rule at all (a list, a number where a mapping belongs).
_ESCAPES: Final = (SigmaError, TypeError, AttributeError, KeyError, ValueError, NameError, IndexError)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a YAML document stands in its file, and its source lines, to point at a word in it."""

    path: str
    first_line: int
    lines: tuple[str, ...]
    rule_id: str | None

    def line_of(self, token: str | None) -> int:
        """Return the 1-based line of `token` inside the document, else the document's first line."""
        if token:
            for offset, text in enumerate(self.lines):
                if token in text:
                    return self.first_line + offset
        return self.first_line

    def refusal(self, reason: str, way_out: str, token: str | None = None) -> Refusal:
        """Return a refusal that points here."""
        return Refusal(self.path, self.line_of(token), self.rule_id, reason, way_out)

    def refused(self, error: SigmaRuleError) -> Refusal:
        """Return the refusal of an error of our own."""
        return self.refusal(error.reason, error.way_out, error.token)


@dataclass(frozen=True, slots=True)
class Read:
    """One document that pySigma took without an error."""

    place: Place
    parsed: Parsed


def read(document: RuleDocument) -> Iterator[Read | Refusal]:
    """Yield every YAML document of a file as a pySigma object or as a refusal. Raises nothing."""
    if len(document.text) > MAX_DOCUMENT:
        yield Refusal(document.path, None, None, "the file is larger than 1 MiB", "Split it")
        return
    try:
        documents = list(_documents(document))
    except yaml.YAMLError as error:
        reason = f"not YAML: {getattr(error, 'problem', None) or error.args[0]}"
        line = _yaml_line(error, document.text)
        yield Refusal(document.path, line, None, reason, "Mend the file; nothing of it was loaded")
        return
    for place, data in documents:
        yield from _parse(place, data)


def _yaml_line(error: yaml.YAMLError, text: str) -> int | None:
    """Return the 1-based line of a YAML error; for a key that stands twice, of the second one."""
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        return int(mark.line) + 1
    key = str(error).partition("'")[2].rpartition("'")[0]
    places = [place for place, line in enumerate(text.splitlines(), 1) if line.strip().startswith(f"{key}:")]
    return places[1] if key and len(places) > 1 else None


def _documents(document: RuleDocument) -> Iterator[tuple[Place, object]]:
    loader = SigmaYAMLLoader(document.text)
    lines = document.text.splitlines()
    try:
        while loader.check_node():
            node = loader.get_node()
            data: object = cast(Any, loader).construct_document(node)
            if node is None or data is None:
                continue
            first, last = int(node.start_mark.line), int(node.end_mark.line)
            given = cast("dict[str, object]", data).get("id") if isinstance(data, dict) else None
            rule_id = given if isinstance(given, str) else None
            yield Place(document.path, first + 1, tuple(lines[first : last + 1]), rule_id), data
    finally:
        loader.dispose()


def _parse(place: Place, data: object) -> Iterator[Read | Refusal]:
    if not isinstance(data, dict):
        yield place.refusal("a rule is a mapping", "Start the document with title, id, logsource, detection")
        return
    rule = cast("dict[str, Any]", data)
    if "action" in rule:
        yield place.refusal(
            "`action` documents (Sigma 1 collections) are not read", "Write each rule out", "action:"
        )
        return
    try:
        found = SigmaCollection.from_dicts(
            [respelt(rule)],
            collect_errors=True,
            source=SigmaRuleLocation(cast(Any, place.path)),
            collect_filters=True,
            resolve_references=False,
        )
    except SigmaRuleError as error:
        yield place.refused(error)
        return
    except _ESCAPES as error:
        yield _sigma_refusal(place, error)
        return
    if found.errors:
        yield from (_sigma_refusal(place, error) for error in found.errors)
        return
    for parsed in [*found.rules, *found.filters]:
        yield Read(place, parsed)


def _sigma_refusal(place: Place, error: Exception) -> Refusal:
    reason = str(error.args[0]) if error.args else type(error).__name__
    quoted = reason.split("'")
    token = quoted[1] if len(quoted) >= 3 else None
    if not isinstance(error, SigmaError):
        reason = f"not a rule as pySigma reads it: {reason}"
    return place.refusal(reason.strip(), "See the Sigma specification 2.1", token or _topic(error))


def _topic(error: Exception) -> str | None:
    """Return the key that an error class speaks of: SigmaLevelError is about ``level:``."""
    name = type(error).__name__.removeprefix("Sigma").removesuffix("Error").lower()
    return f"{name}:" if name else None
