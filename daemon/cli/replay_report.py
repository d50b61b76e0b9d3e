"""What `replay` tells: a line a difference, a summary by rule, one JSON document, a JUnit report."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, field
from typing import Final
from xml.etree import ElementTree

import click

from daemon.cli.database import print_json
from daemon.cli.listing import print_table
from daemon.replaying_comparison import VERDICTS, Comparison, Difference
from daemon.replaying_kafka import Later
from daemon.scan_tally import Period, Tally
from detectors.event import Fields
from detectors.finding import rfc3339
from detectors.wording import plain

MAX_NAMED: Final = 20_000
"""Differences that are named one by one; all are counted."""
SCHEMA: Final = "davylamp.replay/1"
_DIFFERS: Final = ("new", "gone", "changed")


@dataclass(slots=True)
class Report:
    """Collects what is to be told; lines for people come as soon as they are known."""

    kind: str
    period: Period
    comparison: Comparison
    tally: Tally
    lines: bool
    later: list[Later] = field(default_factory=list[Later])
    unreadable: int = 0
    most: int = MAX_NAMED
    differences: list[Difference] = field(default_factory=list[Difference])
    _more: int = 0

    def take(self, found: Difference | None) -> None:
        """Tell a difference, up to the number that is named."""
        if found is None:
            return
        if len(self.differences) >= self.most:
            self._more += 1
            return
        self.differences.append(found)
        if self.lines:
            # Through `sys.stdout`, which a progress bar on the same terminal replaces to keep lines whole.
            sys.stdout.write(f"{_line(found)}\n")
            sys.stdout.flush()

    @property
    def differs(self) -> bool:
        """Whether there is anything new, gone or changed."""
        return any(self.comparison.total(verdict) for verdict in _DIFFERS)

    def notes(self) -> None:
        """Say on stderr what could not be compared."""
        for place, at in self.later:
            click.echo(f"{place}: begins at {rfc3339(at)}, what came before is gone", err=True)
        if self._more:
            click.echo(f"{self._more} more differences, counted and not named", err=True)
        if self.unreadable:
            click.echo(f"{self.unreadable} records of the findings topic are no findings", err=True)
        for name, count in sorted(self.comparison.left_out.items()):
            click.echo(f"{count} stored findings not compared: {name}", err=True)

    def table(self) -> None:
        """Print the summary by rule."""
        print_table(("rule", *VERDICTS), ((title, *counts) for _, title, counts in self._rules()))

    def document(self) -> None:
        """Print the JSON document."""
        tally = self.tally
        rules: list[Fields] = [
            {"rule_id": rule_id, "title": title, **dict(zip(VERDICTS, counts, strict=True))}
            for rule_id, title, counts in self._rules()
        ]
        print_json(
            {
                "schema": SCHEMA,
                "source": self.kind,
                "since": rfc3339(self.period.start),
                "until": rfc3339(self.period.end) if math.isfinite(self.period.end) else None,
                "counts": {verdict: self.comparison.total(verdict) for verdict in VERDICTS},
                "rules": rules,
                "differences": [one.to_json() for one in self.differences],
                "not_named": self._more,
                "left_out": dict(self.comparison.left_out),
                "begins_later": [{"partition": place, "at": rfc3339(at)} for place, at in self.later],
                "read": {
                    "events": tally.events,
                    "outside": tally.outside,
                    "rejected": dict(tally.rejected),
                    "evaluation_errors": dict(tally.evaluation_errors),
                    "findings_unreadable": self.unreadable,
                },
            }
        )

    def junit(self) -> bytes:
        """Return the JUnit report: a suite a rule, a failure a difference, what is at the edge skipped.

        Raises nothing: every text is made printable, which XML 1.0 can hold.
        """
        root = ElementTree.Element("testsuites", name="davylamp replay")
        named: dict[str, list[Difference]] = {}
        for one in self.differences:
            named.setdefault(one.brief.rule_id, []).append(one)
        for rule_id, title, counts in self._rules():
            number_of = dict(zip(VERDICTS, counts, strict=True))
            unchanged, inside = number_of["unchanged"], named.get(rule_id, [])
            failed = sum(one.verdict in _DIFFERS for one in inside)
            more = sum(number_of[verdict] for verdict in _DIFFERS) - failed
            told = {
                "tests": len(inside) + (unchanged > 0) + (more > 0),
                "failures": failed + (more > 0),
                "errors": 0,
                "skipped": len(inside) - failed,
            }
            numbers = {name: str(number) for name, number in told.items()}
            suite = ElementTree.SubElement(root, "testsuite", {"name": title, **numbers})
            if unchanged:
                ElementTree.SubElement(suite, "testcase", classname=title, name=f"{unchanged} unchanged")
            for one in inside:
                name = f"{one.verdict} {plain(one.brief.finding_id)}"
                case = ElementTree.SubElement(suite, "testcase", classname=title, name=name)
                tag = "failure" if one.verdict in _DIFFERS else "skipped"
                ElementTree.SubElement(case, tag, message=_line(one))
            if more:
                case = ElementTree.SubElement(suite, "testcase", classname=title, name=f"{more} more")
                ElementTree.SubElement(case, "failure", message=f"{more} more differences, not named")
        ElementTree.indent(root)
        return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"

    def _rules(self) -> list[tuple[str, str, tuple[int, ...]]]:
        """Return (id, title, a number a verdict) of every rule that found anything, by title."""
        found = self.comparison
        order = sorted(found.titles.items(), key=lambda item: (item[1], item[0]))
        return [
            (plain(rule_id), title, tuple(found.counts[rule_id, verdict] for verdict in VERDICTS))
            for rule_id, title in order
        ]


def _line(found: Difference) -> str:
    brief = found.brief
    what = f" ({', '.join(found.differs)})" if found.differs else ""
    at = rfc3339(brief.event_time)
    told = f"{found.verdict:<11} {brief.level:<13} {at}  {brief.explain}{what}"
    return plain(f"{told}  [{plain(brief.event_id)}]", 1_200)
