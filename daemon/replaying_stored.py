"""The findings that a replay is compared with: the topic of findings, or a file of JSON Lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson

from daemon.scan_tally import Period
from detectors.finding import Finding, FindingFormatError, rfc3339

MAX_LINE: Final = 4 * 1024 * 1024
"""Bytes of the longest finding, as of the topic."""


class StoredUnreadableError(OSError):
    """The file of findings cannot be read, or a line of it is no finding; the message names the place."""


def finding_of(value: bytes | None) -> Finding:
    """Return the finding of a record or a line. Raises FindingFormatError."""
    try:
        document = orjson.loads(value or b"")
    except orjson.JSONDecodeError as error:
        raise FindingFormatError(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise FindingFormatError("not an object")
    try:
        finding = Finding.from_json(document)
        for at in (finding.event_time, finding.first_time, finding.last_time):
            rfc3339(at)
    except (ValueError, OverflowError, OSError) as error:
        raise FindingFormatError(f"not a finding: {error}") from error
    return finding


def findings_of(path: Path) -> Iterator[Finding]:
    """Yield the findings of a file, one object a line, as `scan --json` prints them; empty lines are none.

    Raises StoredUnreadableError.
    """
    try:
        with path.open("rb") as lines:
            number = 0
            while line := lines.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE:
                    raise StoredUnreadableError(f"{path}:{number}: a line over {MAX_LINE} bytes")
                if line.strip():
                    yield _of_line(line, f"{path}:{number}")
    except StoredUnreadableError:
        raise
    except OSError as error:
        raise StoredUnreadableError(f"{path}: {error.strerror or error}") from error


def concerns(finding: Finding, kind: str, period: Period) -> bool:
    """Whether the finding is of the source, and a part of it of the period."""
    inside = finding.first_time < period.end and finding.last_time >= period.start
    return finding.source == kind and inside


def _of_line(line: bytes, place: str) -> Finding:
    try:
        return finding_of(line)
    except FindingFormatError as error:
        raise StoredUnreadableError(f"{place}: {error}") from error
