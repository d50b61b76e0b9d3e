"""What is loaded and what is refused: a rule file as text, and the reason why it cannot be used."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RuleDocument:
    """One YAML file: `path` is only a name for messages, `text` its content (one or more documents)."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rule that was not loaded: where (1-based line), which, why, and the way out."""

    path: str
    line: int | None
    rule_id: str | None
    reason: str
    way_out: str

    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        return f"{place}: {self.reason}. {self.way_out}"


class SigmaRuleError(ValueError):
    """A rule cannot be used. `token` is text of the rule that helps to find the line."""

    def __init__(self, reason: str, way_out: str, token: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.way_out = way_out
        self.token = token


class UnsupportedConstructError(SigmaRuleError):
    """The rule is valid Sigma, but uses something that this engine does not evaluate."""


class MalformedRuleError(SigmaRuleError):
    """The rule is not what the specification asks for."""
