"""One line of docs/reliability.md, and the page of all of them."""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_HEAD: Final = """\
# Reliability

Made by `make nightly`, or with the faults that CI has time for by
`pytest tests/stack/faults --reliability docs/reliability.md`. This is the %s. Every line is a fault that was
really made, while records were being written, to `davylamp run detect`, `correlate` and `forward`, each in
processes of its own, on a real broker.

* **lost**: records, events, findings, flows, dead letters, finals and SIEM documents that one undisturbed
  reading gives and that are missing, less what `lost_before_read` and its critical finding report (**told**).
* **twice**: counted twice, or a finding, final, flow or dead letter that one reading does not give. A
  finding that was written again under the same id is one finding; a file target may hold a line again.
* **laws**: conservation laws that do not hold. **recovery**: seconds from the end of the fault (the process
  started again, the broker back) until everything written around it was read, counted and forwarded.

| fault | workers | lost | told | twice | laws broken | recovery s | broker | date | commit |
|---|---|---|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Row:
    """What one fault came to. `wrong` names what was lost, twice or broken, for the test's message.

    `gap` is why a row is known not to be good: the test fails as soon as it is, unless it begins with
    "sometimes".
    """

    fault: str
    workers: int
    lost: int
    told: int
    twice: int
    laws: int
    recovery_s: float
    broker: str
    wrong: Sequence[str] = ()
    gap: str = ""

    @property
    def good(self) -> bool:
        """Whether nothing was lost without a word, nothing twice, and the laws hold."""
        return not (self.lost or self.twice or self.laws or self.wrong)

    def cells(self) -> str:
        """Return the row as Markdown, up to the broker."""
        fault = f"{self.fault} (known gap: {self.gap})" if self.gap else self.fault
        figures = f"{self.workers} | {self.lost} | {self.told} | {self.twice} | {self.laws}"
        return f"| {fault} | {figures} | {self.recovery_s:.1f} | {self.broker}"

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


def page(rows: Iterable[Row], notes: str, *, nightly: bool) -> str:
    """Return the document of rows made now from this checkout; `notes` stand below the table."""
    date, commit = datetime.now(UTC).date().isoformat(), _commit()
    lines = [f"{row.cells()} | {date} | {commit} |" for row in rows]
    run = "long run (`make nightly`)" if nightly else "short run (CI)"
    return _HEAD.replace("%s", run) + "\n".join(lines) + "\n\n" + notes.strip() + "\n"


def _commit() -> str:
    """Return the short id of the checkout, with + when files differ from it."""
    command = ("git", "describe", "--always", "--exclude=*", "--dirty=+")
    folder = Path(__file__).parent
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
