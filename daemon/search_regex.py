"""Regular expressions of rules, which search, as those of Lucene and ES|QL, which match a whole value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sigma.exceptions import SigmaTransformationError
from sigma.processing.transformations.base import ValueTransformation
from sigma.types import SigmaRegularExpression, SigmaType

from detectors.sigma.document import UnsupportedConstructError

_CLASSES: Final = frozenset("dDwWsS")
_OPERATORS: Final = frozenset('@&<>~#"')
_WAY_OUT: Final = "Write it with contains, startswith and endswith"


class SearchRegex(ValueTransformation):
    """One step of a pipeline: every regular expression of a rule as `lucene_regex` writes it."""

    def apply_value(self, field: str | None, val: SigmaType) -> SigmaType | None:
        """Return the expression for a whole value; None for other values. Raises SigmaTransformationError."""
        if not isinstance(val, SigmaRegularExpression):
            return None
        if val.flags:
            raise SigmaTransformationError("flags of a regular expression are not known there")
        try:
            return SigmaRegularExpression(lucene_regex(str(val.regexp)))
        except UnsupportedConstructError as error:
            raise SigmaTransformationError(error.reason) from error


def lucene_regex(expression: str) -> str:
    """Return a pattern of Lucene's `RegExp` that matches a whole value in which `expression` is found.

    Raises UnsupportedConstructError for what Lucene has not, or reads as something else.
    """
    writing = _Writing(expression)
    writing.run()
    body = "".join(writing.out)
    if writing.alternatives:
        if writing.starts or writing.ends:
            raise _refused("an anchor beside alternatives")
        body = f"({body})"
    return ("" if writing.starts else ".*") + body + ("" if writing.ends else ".*")


@dataclass
class _Writing:
    expression: str

    def __post_init__(self) -> None:
        self.out: list[str] = []
        self.starts = self.ends = self.alternatives = False

    def run(self) -> None:
        text, at, depth = self.expression, 0, 0
        while at < len(text):
            char = text[at]
            if char == "\\":
                at = self._escape(at)
            elif char == "[":
                at = self._set(at)
            elif text.startswith("(?:", at):
                self.out.append("(")
                depth, at = depth + 1, at + 3
            elif text.startswith("(?", at):
                raise _refused(text[at : at + 4])
            elif char in "^$":
                self._anchor(at)
                at += 1
            else:
                depth += (char == "(") - (char == ")")
                self.alternatives = self.alternatives or (char == "|" and not depth)
                self.out.append(f"\\{char}" if char in _OPERATORS else char)
                at += 1

    def _anchor(self, at: int) -> None:
        if self.expression[at] == "^" and at == 0:
            self.starts = True
        elif self.expression[at] == "$" and at == len(self.expression) - 1:
            self.ends = True
        else:
            raise _refused("an anchor inside the expression")

    def _escape(self, at: int) -> int:
        char = self.expression[at + 1 : at + 2]
        if not char or (char.isalnum() and char not in _CLASSES):
            raise _refused(f"\\{char}")
        self.out.append(f"\\{char}")
        return at + 2

    def _set(self, at: int) -> int:
        """Copy a set of characters, ``[...]``."""
        text, start = self.expression, at
        at += 2 if text.startswith("[^", at) else 1
        if text.startswith("]", at):
            raise _refused("a bracket at the start of a set")
        while at < len(text) and text[at] != "]":
            if text.startswith("[:", at):
                raise _refused(text[at : at + 8])
            if text[at] == "\\" and text[at + 1 : at + 2].isalnum():
                raise _refused(f"{text[at : at + 2]} in a set")
            at += 2 if text[at] == "\\" else 1
        self.out.append(text[start : at + 1])
        return at + 1


def _refused(what: str) -> UnsupportedConstructError:
    return UnsupportedConstructError(f"Lucene's regular expressions have no {what}", _WAY_OUT)
