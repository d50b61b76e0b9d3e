"""`docs/detection-report.md`: what was measured, as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from detection_report_cost import Cost
from detection_report_measure import LEVELS, Measured

DEAREST = 10
LOUDEST = 4
HEAD = Path(__file__).parent / "detection_report" / "head.md"
RECALL = {"vault_audit": 0.9, "istio_access": 0.9}
"""Share of techniques to be found, where it is not `USUAL_RECALL`."""
USUAL_RECALL = 0.95
MOST_ALIKE = 2
MOST_FALSE = 1.0
"""Alerts of level medium and above per 1,000 ordinary ids."""


SIGMAHQ = "SigmaHQ"
COST_TOLD = (
    "CPU us per 1,000 events of the rule's source: its condition, run in a loop over the events on which the",
    "engine tries it; median of the rounds, least and greatest beside it. Decoding and sorting, which rules",
    "share, and the finding of a match are not in it. One run on a shared machine; figures of sources with",
    "much traffic of one kind lean on that kind.",
)


class Row(NamedTuple):
    """One line of the table: the rules and settings, and what came of them."""

    name: str
    measured: Measured


def report(
    rows: Mapping[str, Sequence[Row]], rules: str, dear: Sequence[Cost], summed: Mapping[str, float]
) -> str:
    """Return the whole document. `rows` by recording; `summed`: CPU us of all conditions, by source."""
    lines = [HEAD.read_text(encoding="utf-8"), f"Rules: {rules}.", "", *_table(rows), ""]
    lines += _aims(rows)
    lines += _misses(rows)
    lines += _loud(rows)
    lines += _cost(dear, summed)
    return "\n".join(lines).rstrip() + "\n"


def _table(rows: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    yield (
        "| recording | rules | found | by medium or above | false alerts per 1,000: low | medium | high "
        "| critical | medium and above | look-alikes hit | precision, high and above |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for name, its in rows.items():
        for row in its:
            yield f"| {name} | {row.name} | {' | '.join(_cells(row.measured))} |"


def _cells(one: Measured) -> Iterator[str]:
    recording = one.recording
    techniques = len(recording.attacks)
    yield _share(len(one.found), techniques)
    yield _share(one.found_medium, techniques)
    for levels in (*((level,) for level in LEVELS), LEVELS[1:]):
        yield f"{one.rate(*levels):.2f}" if recording.rate else "-"
    yield f"{len(one.alike)} of {len(recording.lookalikes)}" if recording.lookalikes else "-"
    right = one.right_high
    known = recording.rate and techniques and one.precision is not None
    yield f"{100 * (one.precision or 0):.1f} % ({right} of {right + one.wrong_high})" if known else "-"


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / whole:.1f} %)" if whole else "-"


def _aims(rows: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    """Yield the aims and which rows of ours fall short of them, and by what."""
    yield "## The aims"
    yield ""
    yield (
        f"At least {100 * USUAL_RECALL:.0f} % of the techniques "
        f"(vault and mesh {100 * RECALL['vault_audit']:.0f} %), "
        f"at most {MOST_ALIKE} look-alikes of a recording,"
    )
    yield f"less than {MOST_FALSE:g} alert of level medium and above per 1,000 ordinary ids. Short of that:"
    yield ""
    short = [said for name, row in _ours(rows) if (said := _short(name, row))]
    yield from short or ["* nothing."]
    yield ""


def _ours(rows: Mapping[str, Sequence[Row]]) -> Iterator[tuple[str, Row]]:
    for name, its in rows.items():
        yield from ((name, row) for row in its if row.name != SIGMAHQ)


def _short(name: str, row: Row) -> str:
    one = row.measured
    recording, techniques = one.recording, len(one.recording.attacks)
    said: list[str] = []
    if techniques and len(one.found) / techniques < RECALL.get(recording.kind, USUAL_RECALL):
        said.append(f"found {100 * len(one.found) / techniques:.1f} %")
    if len(one.alike) > MOST_ALIKE:
        said.append(f"{len(one.alike)} look-alikes")
    if recording.rate and one.rate(*LEVELS[1:]) >= MOST_FALSE:
        said.append(f"{one.rate(*LEVELS[1:]):.2f} alerts per 1,000")
    return f"* {name}, {row.name}: {', '.join(said)}." if said else ""


def _misses(rows: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    yield "## What is missed"
    yield ""
    before: tuple[str, list[str], list[str]] | None = None
    said: set[str] = set()
    for name, row in _ours(rows):
        one = row.measured
        if not one.recording.attacks:
            continue
        now = (name, one.missed, one.low_only)
        if now == before:
            yield f"* {name}, {row.name}: the same."
        else:
            yield f"* {name}, {row.name}: missed: {_named(one.missed, one.recording.told, said)}"
            yield f"  Found at level low only: {_named(one.low_only, one.recording.told, said)}"
        before = now
    yield ""


def _named(names: Sequence[str], told: Mapping[str, str], said: set[str]) -> str:
    """Return the names; what a name stands for is told where it comes first (`said` holds those told)."""
    out: list[str] = []
    for name in names:
        new = name in told and name not in said
        said.add(name)
        out.append(f"`{name}` ({told[name]})" if new else f"`{name}`")
    return (", ".join(out) or "none") + "."


def _loud(rows: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    yield "## What is false"
    yield ""
    yield f"The {LOUDEST} loudest rules of each row, and the look-alikes that were hit."
    yield ""
    for name, its in rows.items():
        recording = its[0].measured.recording
        if recording.note:
            yield f"* {name}: {recording.note}."
        for row in its:
            loud = row.measured.false_by_rule.most_common(LOUDEST)
            said = [f"{count} x {title} ({level})" for (title, level), count in loud]
            said += [f"look-alike `{one}`: {', '.join(sorted(by))}" for one, by in row.measured.alike.items()]
            if said:
                yield f"* {name}, {row.name}, {recording.ordinary} ordinary ids: {'; '.join(said)}."
    yield ""


def _cost(dear: Sequence[Cost], summed: Mapping[str, float]) -> Iterator[str]:
    yield "## What rules cost"
    yield ""
    yield from COST_TOLD
    yield ""
    yield "All conditions together: " + ", ".join(f"{kind} {us:,.0f} us" for kind, us in summed.items()) + "."
    yield ""
    yield "| the dearest | source | CPU us per 1,000 events | tried on |"
    yield "|---|---|---|---|"
    for one in dear[:DEAREST]:
        tried = f"{one.tried} of {one.events} events"
        yield f"| {one.title} | {one.kind} | {one.us:.0f} ({one.least:.0f} to {one.most:.0f}) | {tried} |"
