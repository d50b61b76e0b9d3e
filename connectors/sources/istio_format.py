"""A parser of access log lines, built from the Envoy format string that made them.

Paths, user agents and other headers are the caller's and may hold quotes and spaces. So a line is read from
its two ends inwards to one field, the user agent (else the last text), which takes what is left. To its left
each text ends where the numbers and words after it first fit. Every step is linear in the line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from connectors.sources.istio_format_string import FormatError, Item, items_of
from connectors.sources.istio_operator import Operator
from connectors.sources.istio_start_time import StartTimeFormat, StartTimeFormatError

_PATTERNS: Final = MappingProxyType(
    {
        "number": r"(?:-?|(\d{1,18}))",
        "word": r"(?:-?|([^\s\"]+))",
        "time": r"(\d{4}-\d\d-\d\dT[^\s\"\]]{1,40})",
        "text": r"(?:-?|([^\"]+))",
    }
)
_ONE_WORD: Final = r"(?:-?|(\S+))"
"""Groups are unmatched, so None, where the value is "-" or empty; methods and paths may hold quotes."""
_ABSENT: Final = frozenset({"-", ""})


class _Stage(NamedTuple):
    """What follows the text field `text` (None at the line's beginning): a run of numbers and words."""

    text: str | None
    pattern: re.Pattern[str]
    names: tuple[str, ...]
    numbers: tuple[str, ...]


class _Tail(NamedTuple):
    """A field right of the middle, read from the line's end."""

    before: str
    name: str
    number: bool
    word: bool


class TextFormat:
    """One format. Raises FormatError."""

    def __init__(self, format_: str) -> None:
        items, self._end = items_of(format_)
        names = [item.field.field for item in items]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise FormatError(f"{twice[0]} stands twice")
        if "start_time" not in names:
            raise FormatError("%START_TIME% is missing; without it a line has no event time")
        self._time = _time(items)
        middle = _middle(items)
        self._middle = items[middle].field.field if middle is not None else None
        left = items if middle is None else items[: middle + 1]
        self._stages = [tuple(self._compiled(left, one_word)) for one_word in ({"path"}, set[str]())]
        self._tail = tuple(_tail(items, middle))
        self._usual = self._whole(items)

    def usual(self, line: str) -> dict[str, Any] | None:
        """Return the fields of a line whose texts hold no quotes and whose path holds no space, else None."""
        usual = self._usual
        match = usual.pattern.match(line) if usual else None
        if usual is None or match is None:
            return None
        found = _taken(usual, match)
        return self._timed(found) if self._time else found

    def strict(self, line: str) -> dict[str, Any] | None:
        """Return the fields of a line whose path holds no space, as HTTP has it, else None.

        Then nothing that a caller writes can look like what the proxy set.
        """
        return self._ends(line, self._stages[0])

    def lenient(self, line: str) -> dict[str, Any] | None:
        """Return the fields of a line whose path may be anything, else None."""
        return self._ends(line, self._stages[1])

    def _ends(self, line: str, stages: tuple[_Stage, ...]) -> dict[str, Any] | None:
        found: dict[str, Any] = {}
        at = _left(line, stages, found)
        return self._timed(found) if at is not None and self._right(line, at, found) else None

    def _compiled(self, items: list[Item], words: set[str]) -> Iterator[_Stage]:
        """The stages of the left; texts of the names in `words` hold no space."""
        text: str | None = None
        pattern, run = "", list[Operator]()
        for item in items:
            pattern += re.escape(item.before)
            field = item.field
            if field.field == self._middle or (field.shape == "text" and field.field not in words):
                yield _stage(text, pattern, run)
                text, pattern, run = field.field, "", []
            else:
                pattern += self._pattern(field)
                run.append(field)
        if self._middle is None:
            yield _stage(text, pattern + re.escape(self._end) + r"\Z", run)

    def _whole(self, items: list[Item]) -> _Stage | None:
        """The whole line in one step, for formats where every text but the path stands in quotes."""
        pattern = ""
        ends = [*(item.before for item in items[1:]), self._end]
        for item, after in zip(items, ends, strict=True):
            quoted = item.before.endswith('"') and after.startswith('"')
            if item.field.shape == "text" and item.field.field != "path" and not quoted:
                return None
            text = item.field.shape == "text" and item.field.field != "path"
            pattern += re.escape(item.before) + (_PATTERNS["text"] if text else self._pattern(item.field))
        return _stage(None, pattern + re.escape(self._end) + r"\Z", [item.field for item in items])

    def _pattern(self, field: Operator) -> str:
        if field.shape == "time" and self._time:
            return f"({self._time.pattern})"
        return _ONE_WORD if field.field in {"path", "method"} else _PATTERNS[field.shape]

    def _right(self, line: str, at: int, found: dict[str, Any]) -> bool:
        if self._middle is None:
            return True
        if not line.endswith(self._end):
            return False
        end = len(line) - len(self._end)
        for before, name, number, word in self._tail:
            start = line.rfind(before, at, end)
            if start < 0:
                return False
            value = line[start + len(before) : end]
            end = start
            if word and ('"' in value or " " in value):
                return False
            found[name] = number_of(value) if number else None if value in _ABSENT else value
        value = line[at:end]
        found[self._middle] = None if value in _ABSENT else value
        return True

    def _timed(self, found: dict[str, Any]) -> dict[str, Any]:
        said = found.get("start_time")
        if self._time and isinstance(said, str):
            found["start_time"] = self._time.rfc3339(said)
        return found


def read_line(line: str, formats: Sequence[TextFormat]) -> dict[str, Any] | None:
    """Return the fields of `line` by the first of `formats` that fits, or None. "-" and "" are None.

    Every format is tried in the way that leaves a caller the least before any is tried in the next.
    """
    for read in (TextFormat.usual, TextFormat.strict, TextFormat.lenient):
        for known in formats:
            found = read(known, line)
            if found is not None:
                return found
    return None


def number_of(text: str) -> int | None:
    """Return the number of at most 18 digits that `text` is, or None."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _left(line: str, stages: tuple[_Stage, ...], found: dict[str, Any]) -> int | None:
    """Read the stages into `found`; return where the middle field begins, or None."""
    at = 0
    for stage in stages:
        match = stage.pattern.match(line) if stage.text is None else stage.pattern.search(line, at)
        if match is None:
            return None
        if stage.text is not None:
            value = line[at : match.start()]
            found[stage.text] = None if value in _ABSENT else value
        found.update(_taken(stage, match))
        at = match.end()
    return at


def _taken(stage: _Stage, match: re.Match[str]) -> dict[str, Any]:
    found: dict[str, Any] = dict(zip(stage.names, match.groups(), strict=True))
    for name in stage.numbers:
        if found[name] is not None:
            found[name] = int(found[name])
    return found


def _stage(text: str | None, pattern: str, run: list[Operator]) -> _Stage:
    numbers = tuple(field.field for field in run if field.shape == "number")
    return _Stage(text, re.compile(pattern, re.ASCII), tuple(field.field for field in run), numbers)


def _middle(items: list[Item]) -> int | None:
    texts = [at for at, item in enumerate(items) if item.field.shape == "text"]
    agents = [at for at in texts if items[at].field.field == "user_agent"]
    return agents[0] if agents else texts[-1] if texts else None


def _tail(items: list[Item], middle: int | None) -> Iterator[_Tail]:
    if middle is None:
        return
    for item in reversed(items[middle + 1 :]):
        shape = item.field.shape
        yield _Tail(item.before, item.field.field, shape == "number", shape == "word" and item.before != " ")


def _time(items: list[Item]) -> StartTimeFormat | None:
    asked = next(item.field.argument for item in items if item.field.field == "start_time")
    try:
        return StartTimeFormat(asked) if asked else None
    except StartTimeFormatError as error:
        raise FormatError(str(error)) from None
