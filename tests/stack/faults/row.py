"""One line of docs/reliability.md, and the page of all of them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_HEAD: Final = """\
# Reliability

Made by `make nightly`, or with the faults that CI has time for by
`pytest tests/stack/faults --reliability docs/reliability.md`: a run replaces the rows of the faults that it
made. Every line is a fault that was really made, while records were being written, to `davylamp run detect`,
`correlate`, `forward` or `respond`, each in processes of its own, on a real broker.

* **lost**: records, events, findings, flows, dead letters, finals and SIEM documents that one undisturbed
  reading gives and that are missing, less what `lost_before_read` and its critical finding report (**told**).
* **twice**: counted twice, or a finding, final, flow or dead letter that one reading does not give. A
  finding that was written again under the same id is one finding; a file target may hold a line again.
* **laws**: conservation laws that do not hold. **recovery**: seconds from the end of the fault (the process
  started again, the broker back) until everything written around it was read, counted and forwarded.

| fault | workers | lost | told | twice | laws broken | recovery s | broker | date | commit |
|---|---|---|---|---|---|---|---|---|---|
"""
_ROW: Final = re.compile(r"\| .* \| \d{4}-\d{2}-\d{2} \| \S+ \|$")


@dataclass(frozen=True, slots=True)
class Row:
    """What one fault came to. `wrong` names what was lost, twice or broken, for the test's message."""

    fault: str
    workers: int
    lost: int
    told: int
    twice: int
    laws: int
    recovery_s: float
    broker: str
    wrong: Sequence[str] = ()

    @property
    def good(self) -> bool:
        """Whether nothing was lost without a word, nothing twice, and the laws hold."""
        return not (self.lost or self.twice or self.laws or self.wrong)

    def cells(self) -> str:
        """Return the row as Markdown, up to the broker."""
        figures = f"{self.workers} | {self.lost} | {self.told} | {self.twice} | {self.laws}"
        return f"| {self.fault} | {figures} | {self.recovery_s:.1f} | {self.broker}"

    def and_also(self, lost: Collection[object], twice: Collection[object], laws: Collection[object]) -> Row:
        """Return the row with what was found at the end."""
        what = {"lost": lost, "twice": twice, "broken": laws}
        return replace(
            self,
            lost=self.lost + len(lost),
            twice=self.twice + len(twice),
            laws=self.laws + len(laws),
            wrong=[*self.wrong, *(f"{name}: {one}" for name, some in what.items() for one in some)],
        )


def page(rows: Iterable[Row], notes: str, before: str = "") -> str:
    """Return the document of rows made now from this checkout; `notes` stand below the table.

    Rows of the document `before` stay where they are, unless their fault was made again with as many workers.
    """
    date, commit = datetime.now(UTC).date().isoformat(), _commit()
    lines = {_fault_of(line): line for line in before.splitlines() if _ROW.match(line)}
    lines |= {_fault_of(line): line for row in rows for line in [f"{row.cells()} | {date} | {commit} |"]}
    return _HEAD + "\n".join(lines.values()) + "\n\n" + notes.strip() + "\n"


def _fault_of(line: str) -> tuple[str, ...]:
    """Return the fault and the number of workers of a line of the table."""
    return tuple(line.split(" | ")[:2])


def _commit() -> str:
    """Return the short id of the checkout, with + when files differ from it."""
    command = ("git", "describe", "--always", "--exclude=*", "--dirty=+")
    folder = Path(__file__).parent
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
