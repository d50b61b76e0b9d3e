"""Rules by id and name, each read anew when asked for: pipelines and backends change what they are given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaRuleLocation
from sigma.filters import SigmaFilter
from sigma.rule import SigmaRule

from detectors.sigma.document import Refusal, RuleDocument
from detectors.sigma.reading import Place, Read, read
from detectors.sigma.rule_yaml import yaml_documents


@dataclass
class Library:
    """Everything that was read: rules and correlations by id and name, filters, and what was refused."""

    found: dict[str, tuple[RuleDocument, int]] = field(default_factory=dict[str, tuple[RuleDocument, int]])
    named: dict[str, str] = field(default_factory=dict[str, str])
    filters: list[tuple[RuleDocument, int]] = field(default_factory=list[tuple[RuleDocument, int]])
    refusals: list[Refusal] = field(default_factory=list[Refusal])
    ids_of: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    @classmethod
    def of(cls, documents: Iterable[RuleDocument]) -> Library:
        """Read every document once, to know what there is. A second rule of an id is left aside."""
        library = cls()
        for document in documents:
            for number, item in enumerate(read(document)):
                if isinstance(item, Refusal):
                    library.refusals.append(item)
                elif isinstance(item, Read):
                    library._add(document, number, item)
        return library

    def _add(self, document: RuleDocument, number: int, item: Read) -> None:
        parsed = item.parsed
        if isinstance(parsed, SigmaFilter):
            self.filters.append((document, number))
        elif parsed.id is not None and str(parsed.id) not in self.found:
            rule_id = str(parsed.id)
            self.found[rule_id] = (document, number)
            self.named[rule_id] = rule_id
            self.ids_of.setdefault(document.path, []).append(rule_id)
            if parsed.name:
                self.named.setdefault(parsed.name, rule_id)

    def fresh(self, rule_id: str) -> Read:
        """Return a rule as our engine reads it, anew: pipelines change what they are given."""
        return _again(*self.found[rule_id])

    def plain(self, rule_id: str) -> SigmaRule | SigmaCorrelationRule:
        """Return a rule as pySigma reads it, which is what its backends know. Raises SigmaError."""
        return cast("SigmaRule | SigmaCorrelationRule", _as_pysigma(self.fresh(rule_id).place))

    def plain_filters(self) -> Iterator[SigmaFilter]:
        """Yield every filter as pySigma reads it. Raises SigmaError."""
        for document, number in self.filters:
            yield cast(SigmaFilter, _as_pysigma(_again(document, number).place))


def _as_pysigma(place: Place) -> Any:
    """Return the document read by pySigma alone: our reading puts in what only our engine knows."""
    data: Any = next(iter(yaml_documents("\n".join(place.lines)))).data
    source = SigmaRuleLocation(Path(place.path))
    found = SigmaCollection.from_dicts([data], source=source, collect_filters=True, resolve_references=False)
    return [*found.rules, *found.filters][0]


def _again(document: RuleDocument, number: int) -> Read:
    for place, item in enumerate(read(document)):
        if place == number and isinstance(item, Read):
            return item
    raise LookupError(f"{document.path} has no document {number} any more")
