"""YAML to pySigma objects, one document at a time, with the line of whatever is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias, cast
from uuid import UUID

from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError, SigmaRuleLocation
from sigma.filters import SigmaFilter
from sigma.rule import (  # pyright: ignore[reportMissingTypeStubs]
    SigmaDetections,
    SigmaLogSource,
    SigmaRule,
)

from detectors.sigma.array_block import marked
from detectors.sigma.bounds import check
from detectors.sigma.compiled import CorrelationText, Other
from detectors.sigma.condition_text import written_out
from detectors.sigma.document import Refusal, RuleDocument, SigmaRuleError
from detectors.sigma.other_yaml import other_kind
from detectors.sigma.rule import Rule
from detectors.sigma.rule_head import headed
from detectors.sigma.rule_yaml import RuleYamlError, YamlDocument, yaml_documents
from detectors.sigma.spelling import respelt
from detectors.wording import MAX_SENTENCE, plain

MAX_DOCUMENT: Final = 1 << 20
Parsed: TypeAlias = SigmaRule | SigmaCorrelationRule | SigmaFilter
ESCAPES: Final = (
    SigmaError,
    TypeError,
    AttributeError,
    KeyError,
    ValueError,
    NameError,
    IndexError,
    OverflowError,
    RecursionError,
)
"""What pySigma lets escape for YAML that is no rule at all (a list, a number where a mapping belongs)."""


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
        said = plain(reason, MAX_SENTENCE)
        return Refusal(self.path, self.line_of(token), self.rule_id, said, way_out)

    def refused(self, error: SigmaRuleError) -> Refusal:
        """Return the refusal of an error of our own."""
        return self.refusal(error.reason, error.way_out, error.token)


@dataclass(frozen=True, slots=True)
class Read:
    """One document that pySigma took without an error."""

    place: Place
    parsed: Parsed


def read(document: RuleDocument) -> Iterator[Read | Refusal | Other]:
    """Yield every YAML document of a file: as a pySigma object, a refusal, or what else it is.

    Raises nothing.
    """
    if len(document.text) > MAX_DOCUMENT:
        yield Refusal(document.path, None, None, "the file is larger than 1 MiB", "Split it")
        return
    lines = document.text.splitlines()
    try:
        for found in yaml_documents(document.text):
            yield from _document(document.path, lines, found)
    except RuleYamlError as error:
        yield Refusal(document.path, error.line, None, plain(error.reason, MAX_SENTENCE), error.way_out)


def reread(item: CorrelationText) -> tuple[Place, SigmaCorrelationRule] | Refusal:
    """Return a correlation that was read before; its lines count as in its file."""
    for found in read(RuleDocument(item.place.path, item.text)):
        if isinstance(found, Read) and isinstance(found.parsed, SigmaCorrelationRule):
            return replace(found.place, first_line=item.place.line), found.parsed
    return item.place.refusal(item.id, "no correlation any more", "Load the rules again")


def outline(rule: Rule) -> SigmaRule:
    """Return what pipelines ask of a rule that a correlation names: who it is and its log source."""
    identity, source = rule.identity, rule.logsource
    logsource = SigmaLogSource(source.category, source.product, source.service)
    detection = SigmaDetections.from_dict({"outline": [identity.id], "condition": "outline"})
    return SigmaRule(
        title=identity.title,
        id=UUID(identity.id),
        name=identity.name,
        logsource=logsource,
        detection=detection,
    )


def _document(path: str, lines: list[str], found: YamlDocument) -> Iterator[Read | Refusal | Other]:
    data, first = found.data, found.first_line
    if data is None and found.fault is None:
        return
    given = cast("dict[object, object]", data).get("id") if isinstance(data, dict) else None
    rule_id = plain(given) if isinstance(given, str) else None
    if found.fault is not None:
        fault = found.fault
        yield Refusal(path, fault.line, rule_id, plain(fault.reason, MAX_SENTENCE), fault.way_out)
        return
    place = Place(path, first, tuple(lines[first - 1 : found.last_line]), rule_id)
    if not isinstance(data, dict):
        yield place.refusal("a rule is a mapping", "Start the document with title, id, logsource, detection")
        return
    kind = other_kind(path, cast("dict[object, object]", data))
    if kind is None:
        yield from _parse(place, cast("dict[str, Any]", data))
    else:
        yield Other(path, first, kind)


def _parse(place: Place, rule: dict[str, Any]) -> Iterator[Read | Refusal]:
    if "action" in rule:
        yield place.refusal(
            "`action` documents (Sigma 1 collections) are not read", "Write each rule out", "action:"
        )
        return
    try:
        check(cast("dict[object, object]", rule))
        found = SigmaCollection.from_dicts(
            [respelt(marked(written_out(headed(rule))))],
            collect_errors=True,
            source=SigmaRuleLocation(cast(Any, place.path)),
            collect_filters=True,
            resolve_references=False,
        )
    except SigmaRuleError as error:
        yield place.refused(error)
        return
    except ESCAPES as error:
        yield sigma_refusal(place, error)
        return
    if found.errors:
        yield from (sigma_refusal(place, error) for error in found.errors)
        return
    for parsed in [*found.rules, *found.filters]:
        yield Read(place, parsed)


def sigma_refusal(place: Place, error: Exception, word: str | None = None) -> Refusal:
    """Return the refusal of what pySigma raised (one of `ESCAPES`), at `word` or what the error names."""
    reason = str(error.args[0]) if error.args else type(error).__name__
    quoted = reason.split("'")
    token = quoted[1] if len(quoted) >= 3 else None
    if not isinstance(error, SigmaError):
        reason = f"not a rule as pySigma reads it: {reason}"
    return place.refusal(reason.strip(), "See the Sigma specification 2.1", word or token or _topic(error))


def _topic(error: Exception) -> str | None:
    """Return the key that an error class speaks of: SigmaLevelError is about ``level:``."""
    name = type(error).__name__.removeprefix("Sigma").removesuffix("Error").lower()
    return f"{name}:" if name else None
