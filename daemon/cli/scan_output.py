"""How `scan` prints a finding: a line for people, an object a line, or a row of CSV."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

import click
import orjson

from daemon.scanning import Located
from detectors.finding import rfc3339
from detectors.wording import plain

Format: TypeAlias = Literal["table", "jsonl", "csv"]
FORMATS: Final[tuple[Format, ...]] = ("table", "jsonl", "csv")
CSV_COLUMNS: Final = (
    "event_time",
    "level",
    "rule_id",
    "title",
    "source",
    "entities",
    "attack",
    "count",
    "file",
    "line",
    "finding_id",
    "explain",
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def printer(wanted: Format) -> Callable[[Located], None]:
    """Return what prints one finding to stdout; for CSV the heading is printed at once.

    A terminal sees each finding as it is met. Elsewhere they are buffered: flush `sys.stdout` at the end.
    """
    if wanted == "jsonl" and not sys.stdout.isatty():
        return _buffered
    if wanted == "jsonl":
        return lambda located: click.echo(_object(located), nl=False)
    if wanted == "csv":
        _print_text(_row(CSV_COLUMNS))
        return lambda located: _print_text(_row(_cells(located)))
    return lambda located: _print_text(f"{_line(located)}\n")


def _print_text(text: str) -> None:
    """Print through `sys.stdout`, which a progress bar on the same terminal replaces to keep lines whole."""
    sys.stdout.write(text)
    if sys.stdout.isatty():
        sys.stdout.flush()


def _object(located: Located) -> bytes:
    return orjson.dumps(located.to_json(), option=orjson.OPT_APPEND_NEWLINE)


def _buffered(located: Located) -> None:
    click.get_binary_stream("stdout").write(_object(located))


def _line(located: Located) -> str:
    finding, place = located.finding, located.locators[0]
    at = f"{plain(place.topic)}:{place.offset}"
    return f"{finding.level:<13} {rfc3339(finding.event_time)}  {at}  {finding.explain}"


def _cells(located: Located) -> tuple[str, ...]:
    finding, place = located.finding, located.locators[0]
    return (
        rfc3339(finding.event_time),
        finding.level,
        finding.rule_id,
        finding.title,
        finding.source,
        " ".join(f"{entity.type}:{entity.id}" for entity in finding.entities),
        " ".join(finding.attack),
        str(finding.count),
        place.topic,
        str(place.offset),
        finding.finding_id,
        finding.explain,
    )


def _row(cells: tuple[str, ...]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow([_inert(plain(cell, 2000)) for cell in cells])
    return out.getvalue()


def _inert(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
