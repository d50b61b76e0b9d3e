"""Recall, false alarms, precision and cost of the shipped rules on labelled recordings, beside SigmaHQ's.

Run `make detection-report SHARED=DIR`, or `python bench/detection_report.py DIR [--out FILE]`. DIR is the
folder with the project's test data (`data/`); without it the run ends with exit code 3 and one line.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from detection_report_cost import Cost, costs
from detection_report_data import Recording, recordings
from detection_report_measure import measure
from detection_report_text import SIGMAHQ, Row, report

from config.detection import Detection
from daemon.ruleset import ruleset
from detectors.sigma.ruleset import RuleSet

NO_DATA = 3
COSTED = ("kubernetes_audit", "vault_audit", "istio_access", "cloudtrail")

LEARNING_S = (0.0, 60.0, 210.0)
"""Learning periods of baselines: none, a minute, a quarter of the recordings' 14 minutes."""


def main() -> int:
    """Measure everything, write the report, say where it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", nargs="?", default="SHARED", help="the folder with the test data")
    parser.add_argument("--out", type=Path, default=Path("docs/detection-report.md"))
    given = parser.parse_args()
    begun = time.monotonic()
    shared = Path(given.shared)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            found = recordings(shared, Path(scratch))
        except FileNotFoundError as error:
            print(f"detection-report: SHARED=DIR must name the test data; {error.filename} is not there")
            return NO_DATA
        given.out.write_text(measured(found, shared), encoding="utf-8")
    print(f"{given.out} in {time.monotonic() - begun:.0f} s")
    return 0


def measured(found: list[Recording], shared: Path) -> str:
    """Return the report on all recordings."""
    shipped = ruleset(Detection())
    public = ruleset(Detection(builtin_rules=False, rules=(shared / "data" / "sigma" / "rules",)))
    rows = {one.name: list(_rows(one, shipped, public)) for one in found}
    dear: list[Cost] = []
    summed: dict[str, float] = {}
    for kind in COSTED:
        # Of CloudTrail the ordinary traffic is asked; the others have one recording, or one in JSON.
        of_kind = [one for one in found if one.kind == kind]
        its = costs(max(of_kind, key=lambda one: one.ordinary * one.rate), shipped)
        dear += its
        summed[kind] = sum(cost.us for cost in its)
    rules = (
        f"{len(shipped.rules)} shipped and {len(shipped.correlations)} correlations, "
        f"{len(shipped.refusals)} refused; SigmaHQ {len(public.rules)}, {len(public.refusals)} refused"
    )
    return report(rows, rules, sorted(dear, key=lambda cost: -cost.us), summed)


def _rows(one: Recording, shipped: RuleSet, public: RuleSet) -> Iterator[Row]:
    yield Row("shipped", measure(one, shipped))
    knowing = shipped
    if one.inventory is not None:
        knowing = ruleset(Detection(inventory=(one.inventory,)))
        yield Row("with inventory", measure(one, knowing))
    for learning_s in LEARNING_S if one.baselines else ():
        name = f"and baselines that learn {learning_s:.0f} s"
        yield Row(name, measure(one, knowing, learning_s=learning_s))
    if one.sigmahq:
        yield Row(SIGMAHQ, measure(one, public))


if __name__ == "__main__":
    sys.exit(main())
