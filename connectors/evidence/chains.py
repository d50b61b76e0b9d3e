"""The chained rows of a bundle: `timeline.jsonl` whole from the first row, `audit.jsonl` whole or a part."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from connectors.store import audit, timeline
from connectors.store.canonical import GENESIS, intact

TIMELINE: Final = "timeline.jsonl"
AUDIT: Final = "audit.jsonl"
PROBLEMS_SHOWN: Final = 1000
_HASHED: Final = {TIMELINE: timeline.hashed, AUDIT: audit.hashed}


class Chains:
    """Follows the rows as their lines come, one hash a chain in memory."""

    def __init__(self) -> None:
        self.rows = 0
        self._last: dict[tuple[str, str], tuple[int, str]] = {}
        self._wrong: list[str] = []
        self._gaps = 0

    def lines(self, name: str, lines: Iterable[bytes]) -> None:
        """Take the next whole lines of the file `name`; files that hold no chained rows are passed over."""
        if name in _HASHED:
            for line in lines:
                self._row(name, line)

    def problems(self, manifest: Mapping[str, Any]) -> list[str]:
        """Return what is wrong, at the end. `audit_whole` in the manifest: the audit rows have no gaps."""
        gaps = [f"{AUDIT}: {self._gaps} gaps in the chain"] if self._gaps and manifest["audit_whole"] else []
        return self._wrong + gaps

    def _row(self, name: str, line: bytes) -> None:
        self.rows += 1
        try:
            row = json.loads(line)
            seq, previous, last = int(row["seq"]), str(row["previous_hash"]), str(row["hash"])
            chain = (name, str(row["incident_id"]) if name == TIMELINE else "")
            whole = intact(row, _HASHED[name])
        except (ValueError, TypeError, KeyError, RecursionError):
            self._say(f"{name} line {self.rows}: no row")
            return
        before, expected = self._last.get(chain, (-1, GENESIS))
        if not whole:
            self._say(f"{name} row {seq}: changed")
        if seq <= before:
            self._say(f"{name} row {seq}: out of order")
        if previous != expected:
            if name == AUDIT:
                self._gaps += 1
            else:
                self._say(f"{name} row {seq}: a row before it is missing or changed")
        self._last[chain] = (seq, last)

    def _say(self, problem: str) -> None:
        if len(self._wrong) < PROBLEMS_SHOWN:
            self._wrong.append(problem)
