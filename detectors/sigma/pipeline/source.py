"""Placeholder values from outside: what a pipeline asks for, and how the answer is read.

Fetching is the caller's: detectors neither open files nor connections nor start programs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, cast

from sigma.exceptions import SigmaError
from sigma.processing.transformations.external import (  # pyright: ignore[reportMissingTypeStubs]
    ExternalSourceBaseTransformation,
)

from detectors.sigma.document import UnsupportedConstructError
from detectors.sigma.pipeline.expression import linear

SourceKind: TypeAlias = Literal["file", "http", "command"]
KINDS: Final[Mapping[str, SourceKind]] = {
    "file_placeholders": "file",
    "http_placeholders": "http",
    "command_placeholders": "command",
}
MAX_BYTES: Final = 1 << 20
MAX_VALUES: Final = 10_000
MAX_TIMEOUT_S: Final = 60.0
TIMEOUT_S: Final = 10.0
# Names, indexes and [] only: the whole of jq can run for ever.
_JQ_PATH: Final = re.compile(
    r'\s*(?:\.(?:[A-Za-z_]\w*|"[^"\\]*")?(?:\[\d*\])*)+(?:\s*\|\s*(?:\.(?:[A-Za-z_]\w*|"[^"\\]*")?(?:\[\d*\])*)+)*\s*'
)


class SourceError(ValueError):
    """A source is off, cannot be read, or gives no values; the message says which, why, and the way out."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a pipeline asks for: a path, an address, or the words of a command; time-out in seconds."""

    kind: SourceKind
    what: tuple[str, ...]
    timeout_s: float = TIMEOUT_S
    max_bytes: int = MAX_BYTES
    headers: tuple[tuple[str, str], ...] = ()
    params: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """Return the source as the operator writes it."""
        return " ".join(self.what)


Fetch: TypeAlias = Callable[[Source], str]
"""Returns the text of a source that the operator allows. Raises SourceError."""


def none_allowed(source: Source) -> str:
    """Refuse every source: what holds until the operator's settings name one. Raises SourceError."""
    raise SourceError(
        f"placeholder values from a {source.kind} are off: {source.name}. Name it under "
        f"detection.placeholder_sources.{source.kind} in the settings, or write the values into `vars`"
    )


def source_of(item: Mapping[str, Any]) -> Source:
    """Return what a vetted item asks for. Raises SourceError for what is never done."""
    kind = KINDS[item["type"]]
    if kind == "file":
        return Source("file", (item["path"],))
    timeout = _number(item, "timeout", TIMEOUT_S, MAX_TIMEOUT_S)
    if kind == "command":
        if isinstance(item["cmd"], str):
            raise SourceError("a command for a shell is not run; write `cmd` as a list of words")
        size = int(_number(item, "max_stdout", MAX_BYTES, MAX_BYTES))
        return Source("command", tuple(item["cmd"]), timeout, size)
    size = int(_number(item, "max_body_size", MAX_BYTES, MAX_BYTES))
    return Source("http", (item["url"],), timeout, size, _pairs(item, "headers"), _pairs(item, "params"))


def values_of(item: Mapping[str, Any], text: str) -> list[str]:
    """Return the values in the answer to a vetted item, as pySigma reads its formats. Raises SourceError."""
    asked = item.get("jq_expression")
    if isinstance(asked, str) and not _JQ_PATH.fullmatch(asked):
        raise SourceError("`jq_expression` is read as a path only: names, indexes and [], as .items[].name")
    known = ("format", "csv_column", "csv_has_header", "jq_expression")
    try:
        reader = _Text(**{key: item[key] for key in known if key in item}, text=text)
        values = reader.read()
        if isinstance(pattern := item.get("filter"), str):
            search = linear(pattern).search
            values = [value for value in values if search(value)]
    except (SigmaError, UnsupportedConstructError, ValueError, TypeError, RecursionError) as error:
        raise SourceError(f"the values cannot be read: {error}") from error
    if not values or len(values) > MAX_VALUES:
        raise SourceError(f"gives {len(values)} values; 1 to {MAX_VALUES} are read")
    return values


@dataclass
class _Text(ExternalSourceBaseTransformation):
    """pySigma's own reading of a source, of text that is there already."""

    text: str = ""

    def _fetch_data(self) -> str:
        return self.text

    def read(self) -> list[str]:
        """Return the values in the text."""
        return self._parse_data(self._fetch_data())


def _number(item: Mapping[str, Any], key: str, default: float, most: float) -> float:
    value = item.get(key, default)
    if not isinstance(value, int | float) or isinstance(value, bool) or value <= 0:
        raise SourceError(f"`{key}` must be a number above 0, at most {most:g}")
    return min(float(value), most)


def _pairs(item: Mapping[str, Any], key: str) -> tuple[tuple[str, str], ...]:
    given = cast("dict[str, object]", item.get(key, {}))
    return tuple((name, value) for name, value in given.items() if isinstance(value, str))
