"""What one rule file gives by itself, free of pySigma: rules, filters, correlations, refusals, other YAML.

Nothing here depends on another file, so that it can be made in another process and kept (`stored.py`).
`ruleset.py` puts files together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from detectors.event import LogSource
from detectors.sigma.condition import Condition
from detectors.sigma.document import Refusal
from detectors.sigma.rule import Rule


@dataclass(frozen=True, slots=True)
class Position:
    """Where a document stands: its file, its first line, and the lines of words that others speak of.

    Lines are 1-based and count from the start of the file.
    """

    path: str
    line: int
    words: Mapping[str, int]

    def refusal(self, rule_id: str | None, reason: str, way_out: str, word: str | None = None) -> Refusal:
        """Return a refusal that points at `word`, or at the document's first line."""
        line = self.words.get(word, self.line) if word else self.line
        return Refusal(self.path, line, rule_id, reason, way_out)


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule; filters and correlations are not in it yet."""

    place: Position
    id: str
    name: str | None
    rule: Rule


@dataclass(frozen=True, slots=True)
class CompiledFilter:
    """A filter: what is and-ed to the rules it is for. `rules` are ids and names; None: any rule."""

    place: Position
    id: str
    name: str | None
    logsource: LogSource
    rules: tuple[str, ...] | None
    condition: Condition

    def wants(self, rule: Rule) -> bool:
        """Return whether it is for `rule`: named, and of this log source or a narrower one."""
        names = {rule.id, rule.identity.name}
        listed = self.rules is None or any(name in names for name in self.rules)
        pairs = zip(self.logsource, rule.logsource, strict=True)
        return listed and all(mine is None or mine == its for mine, its in pairs)


@dataclass(frozen=True, slots=True)
class CorrelationText:
    """A correlation as text: it is read when the rules are known that it names."""

    place: Position
    id: str
    name: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Other:
    """YAML that is no rule and is not meant as one: a pipeline, a workflow, tests of a rule."""

    path: str
    line: int
    kind: str


Item: TypeAlias = CompiledRule | CompiledFilter | CorrelationText


@dataclass(frozen=True, slots=True)
class CompiledFile:
    """All that one file gave, in its order."""

    items: tuple[Item, ...]
    refusals: tuple[Refusal, ...]
    others: tuple[Other, ...] = ()
