"""`%START_TIME(format)%` of Envoy: strftime with `%f`, `%3f` (fractions) and `%s` (epoch), in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

_DIRECTIVE: Final = re.compile(r"%([1-9]?[A-Za-z%])")
_PARTS: Final = MappingProxyType({"F": "%Y-%m-%d", "T": "%H:%M:%S", "R": "%H:%M", "D": "%m/%d/%y"})
_PATTERNS: Final = MappingProxyType(
    {
        "Y": r"(?P<Y>\d{4})",
        "y": r"(?P<y>\d\d)",
        "m": r"(?P<m>\d\d)",
        "b": r"(?P<b>[A-Z][a-z]{2})",
        "d": r"(?P<d>\d\d)",
        "e": r"(?P<d>[ \d]\d)",
        "H": r"(?P<H>\d\d)",
        "M": r"(?P<M>\d\d)",
        "S": r"(?P<S>\d\d)",
        "s": r"(?P<s>\d{1,12})",
        "z": r"(?P<z>[+-]\d{4})",
        "Z": r"(?:UTC|GMT)",
        "%": "%",
    }
)
_MONTHS: Final = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class StartTimeFormatError(ValueError):
    """The format holds something that cannot be read back; the message names it."""


class StartTimeFormat:
    """One format, compiled once. Raises StartTimeFormatError."""

    def __init__(self, format_: str) -> None:
        for short, long in _PARTS.items():
            format_ = format_.replace(f"%{short}", long)
        pattern, at = "", 0
        for found in _DIRECTIVE.finditer(format_):
            pattern += re.escape(format_[at : found.start()]) + _pattern(found[1])
            at = found.end()
        pattern += re.escape(format_[at:])
        try:
            self._read = re.compile(pattern + r"\Z", re.ASCII)
        except re.error:
            raise StartTimeFormatError("a part of the start time stands twice") from None
        self.pattern = re.sub(r"\(\?P<\w+>", "(?:", pattern)
        names = set(self._read.groupindex)
        if "s" not in names and not ({"d", "H", "M"} <= names and names & {"Y", "y"} and names & {"m", "b"}):
            raise StartTimeFormatError("the start time needs year, month, day, hour and minute, or %s")

    def rfc3339(self, text: str) -> str | None:
        """Return `text` as RFC 3339 in UTC, or None when it is no time of this format."""
        found = self._read.match(text)
        if found is None:
            return None
        parts = found.groupdict()
        try:
            at = _moment(parts) + timedelta(microseconds=int((parts.get("f") or "0")[:6].ljust(6, "0")))
        except (ValueError, OverflowError):
            return None
        return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _pattern(directive: str) -> str:
    if directive[-1] == "f":
        return r"(?P<f>\d{1,9})" if directive == "f" else rf"(?P<f>\d{{{directive[0]}}})"
    try:
        return _PATTERNS[directive]
    except KeyError:
        raise StartTimeFormatError(f"%{directive} in the start time cannot be read") from None


def _moment(parts: dict[str, str | None]) -> datetime:
    epoch = parts.get("s")
    if epoch:
        return datetime.fromtimestamp(int(epoch), UTC)
    short = parts.get("b")
    month = _MONTHS.index(short) if short else int(parts["m"] or "")
    year = int(parts.get("Y") or "0") or 2000 + int(parts["y"] or "")
    day, hour, minute = (int(parts[key] or "") for key in "dHM")
    at = datetime(year, month, day, hour, minute, int(parts.get("S") or "0"), tzinfo=UTC)
    zone = parts.get("z")
    if zone:
        shift = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:]))
        at = at - shift if zone[0] == "+" else at + shift
    return at
