"""Access logs in JSON with keys of the operator's choice: which key holds which of our fields."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from connectors.sources.istio_format_string import FormatError
from connectors.sources.istio_operator import OPERATOR, Operator, operator
from connectors.sources.istio_start_time import StartTimeFormat, StartTimeFormatError

_MILLISECONDS_FROM: Final = 100_000_000_000
_MISSING: Final = object()


class FieldMap:
    """Keys of a JSON access log to our fields.

    `fields`: key (dots lead into objects) to a field's name (`response_code`) or to the Envoy operator that
    fills it (`%RESPONSE_CODE%`), as it stands in the mesh's own configuration. Raises FormatError.
    """

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = [(key, tuple(key.split(".")), _meant(key, said)) for key, said in fields.items()]
        names = [meant.field for _, _, meant in self._fields]
        if len(set(names)) != len(names):
            raise FormatError("two keys fill one field")
        if "start_time" not in names:
            raise FormatError("no key fills start_time; without it a line has no event time")
        self._times = {meant.field: _time(meant) for _, _, meant in self._fields if meant.argument}
        self._keys = frozenset(fields)
        self._asked = max(1, len(names) // 2)

    def recognises(self, value: Mapping[str, Any]) -> bool:
        """Return whether `value` has the time and half of the mapped keys (Envoy leaves empty ones out)."""
        present = 0
        for key, path, meant in self._fields:
            if _at(value, key, path) is not _MISSING:
                present += 1
            elif meant.field == "start_time":
                return False
        return present >= self._asked

    def applied(self, value: dict[str, Any]) -> dict[str, Any]:
        """Return `value` under our fields' names; keys that are not mapped stay as they are."""
        record = {key: item for key, item in value.items() if key not in self._keys}
        for key, path, meant in self._fields:
            found = _at(value, key, path)
            if found is not _MISSING:
                record[meant.field] = found
        record["start_time"] = self._start(record.get("start_time"))
        return record

    def _start(self, said: Any) -> Any:
        form = self._times.get("start_time")
        if form and isinstance(said, str):
            return form.rfc3339(said)
        if isinstance(said, int | float) and not isinstance(said, bool):
            return _from_epoch(said)
        return said


def _meant(key: str, said: str) -> Operator:
    found = OPERATOR.fullmatch(said)
    if found:
        return operator(found[1], found[2])
    if "%" in said or not said:
        raise FormatError(f"{key}: {said[:40]!r} is neither a field's name nor one Envoy operator")
    return Operator(said, "time" if said == "start_time" else "text")


def _time(meant: Operator) -> StartTimeFormat:
    try:
        return StartTimeFormat(meant.argument)
    except StartTimeFormatError as error:
        raise FormatError(str(error)) from None


def _at(value: Mapping[str, Any], key: str, path: tuple[str, ...]) -> Any:
    if key in value:
        return value[key]
    found: Any = value
    for part in path:
        if not isinstance(found, dict) or part not in found:
            return _MISSING
        found = found[part]
    return found


def _from_epoch(number: float) -> str | None:
    """Seconds, or milliseconds where the number is too large for seconds."""
    try:
        at = datetime.fromtimestamp(number / 1000 if number >= _MILLISECONDS_FROM else number, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")
