"""`davylamp rules conform`: the public conformance suite of Sigma evaluation, on Davylamp's own engine."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

import click
import orjson

from detectors.sigma.conformance import Verdict, judge_all
from detectors.sigma.conformance_case import BASES, Case, CaseError, parse

DEFAULT: Final = Path("tests/conformance")
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), default=DEFAULT)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write a JUnit report.")
@click.option("--expand", is_flag=True, help="Print the opened cases, one JSON object a line; run nothing.")
@click.pass_context
def conform(ctx: click.Context, folder: Path, as_json: bool, junit: Path | None, expand: bool) -> None:
    """Run the cases of FOLDER (tests/conformance); print passed and failed by topic and basis.

    Exit 0 only when every case passes, else 1.
    """
    cases = read_cases(folder)
    if expand:
        for case in cases:
            click.echo(orjson.dumps(case.to_json()))
        return
    verdicts = judge_all(cases)
    failed = [verdict for verdict in verdicts if not verdict.passed]
    if junit is not None:
        junit.write_bytes(report(verdicts))
    if as_json:
        click.echo(orjson.dumps(summary(verdicts)))
    else:
        _show(verdicts, failed)
    ctx.exit(1 if failed else 0)


def read_cases(folder: Path) -> list[Case]:
    """Return the cases of every `*.yml` below `folder`, by path.

    Raises click.UsageError for a file that cannot be read and for a folder without a case.
    """
    cases: list[Case] = []
    for file in sorted(folder.rglob("*.yml")):
        topic = file.relative_to(folder).with_suffix("").as_posix()
        try:
            cases.extend(parse(topic, file.read_text(encoding="utf-8")))
        except (CaseError, UnicodeDecodeError) as error:
            raise click.UsageError(f"{file}: {error}") from error
    if not cases:
        raise click.UsageError(f"{folder} holds no cases")
    return cases


def summary(verdicts: Sequence[Verdict]) -> Mapping[str, object]:
    """Return counts by topic and basis, and every failed case with what was seen."""
    counts = _counted(verdicts)
    return {
        "schema": "davylamp.sigma-conformance/1",
        "cases": len(verdicts),
        "passed": sum(verdict.passed for verdict in verdicts),
        "topics": {
            topic: {basis: {"passed": passed, "failed": failed} for basis, (passed, failed) in rows.items()}
            for topic, rows in counts.items()
        },
        "failed": [
            {
                "id": verdict.case.id,
                "basis": verdict.case.basis,
                "expected": verdict.case.expected.to_json(),
                "seen": verdict.seen,
            }
            for verdict in verdicts
            if not verdict.passed
        ],
    }


def report(verdicts: Sequence[Verdict]) -> bytes:
    """Return a JUnit document: a suite a topic, a test a case."""
    root = Element("testsuites", name="sigma-conformance")
    for topic in dict.fromkeys(verdict.case.topic for verdict in verdicts):
        own = [verdict for verdict in verdicts if verdict.case.topic == topic]
        broken = str(sum(not verdict.passed for verdict in own))
        suite = SubElement(root, "testsuite", name=topic, tests=str(len(own)), failures=broken)
        for verdict in own:
            test = SubElement(suite, "testcase", classname=topic, name=verdict.case.id)
            if not verdict.passed:
                wanted = orjson.dumps(verdict.case.expected.to_json()).decode()
                failure = SubElement(test, "failure", type=verdict.case.basis)
                failure.set("message", _NOT_XML.sub("?", f"expected {wanted}, saw {verdict.seen}"))
    return tostring(root, encoding="utf-8", xml_declaration=True)


def _counted(verdicts: Sequence[Verdict]) -> dict[str, dict[str, tuple[int, int]]]:
    passed = Counter((v.case.topic, v.case.basis) for v in verdicts if v.passed)
    failed = Counter((v.case.topic, v.case.basis) for v in verdicts if not v.passed)
    topics = dict.fromkeys(verdict.case.topic for verdict in verdicts)
    return {
        topic: {basis: (passed[topic, basis], failed[topic, basis]) for basis in BASES} for topic in topics
    }


def _show(verdicts: Sequence[Verdict], failed: Sequence[Verdict]) -> None:
    for verdict in failed:
        wanted = orjson.dumps(verdict.case.expected.to_json()).decode()
        click.echo(f"{verdict.case.id} ({verdict.case.basis}): expected {wanted}, saw {verdict.seen}")
    click.echo(f"{'topic':<34}{'specification':>16}{'decision':>16}")
    for topic, rows in _counted(verdicts).items():
        cells = "".join(f"{f'{good} of {good + bad}':>16}" for good, bad in rows.values())
        click.echo(f"{topic:<34}{cells}")
    click.echo(f"{len(verdicts)} cases, {len(failed)} failed")
