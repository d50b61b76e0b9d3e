"""`davylamp rules test`: the events beside each rule, tried; also as a JUnit report."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias
from xml.etree import ElementTree

import click

from config.detection import Detection
from connectors.sources.catalogue import KINDS, profile
from connectors.sources.reject import Reject
from daemon.cli.main import NOT_DONE
from daemon.cli.pipeline_option import pipeline_option
from daemon.ruleset import ruleset
from detectors.event import Event, Fields, Locator
from detectors.rules.cases import SUFFIX, CaseFormatError, Cases, builtin_cases, judge, parse_cases
from detectors.sigma.document import RuleDocument
from detectors.sigma.ruleset import RuleSet

Verdict: TypeAlias = Literal["passed", "failed", "refused", "untested"]
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Try:
    """One try of one rule file: its name (``match 1``), how it went, and why when it did not pass."""

    path: str
    name: str
    verdict: Verdict
    reason: str = ""


class UnreadableTryError(ValueError):
    """A test event that no source recognises or takes; the message says which and why."""


@click.command("test")
@click.option("--rules", "folders", multiple=True, type=click.Path(path_type=Path), help="More rules.")
@click.option("--no-builtin", is_flag=True, help="Leave the shipped rules out.")
@click.option(
    "--junit", type=click.Path(path_type=Path, dir_okay=False), help="Also write a JUnit report (XML)."
)
@pipeline_option
@click.pass_context
def test_rules(
    ctx: click.Context,
    folders: tuple[Path, ...],
    no_builtin: bool,
    junit: Path | None,
    pipelines: tuple[Path, ...],
) -> None:
    """Run the events beside each rule (`rule.events.json`: match, no_match). Exit 1 if one fails.

    A refused rule, an unreadable file of test events, and an event that no source takes fail too; a rule
    without test events is named and fails nothing.
    """
    asked = Detection(builtin_rules=not no_builtin, rules=folders, pipelines=pipelines)
    done = list(tries(ruleset(asked)))
    for one in done:
        if one.verdict == "refused":
            click.echo(one.reason)
        elif one.verdict == "untested":
            click.echo(f"{one.path}: {one.reason}")
        elif one.verdict == "failed":
            click.echo(f"{one.path}: {one.name} fails{f': {one.reason}' if one.reason else ''}")
    counts = Counter(one.verdict for one in done)
    told = f"{counts['passed'] + counts['failed']} tries, {counts['failed']} failed"
    click.echo(f"{told}, {counts['refused']} refused" if counts["refused"] else told)
    if junit is not None:
        try:
            junit.write_bytes(report(done))
        except OSError as error:
            click.echo(f"{junit}: {error.strerror}", err=True)
            ctx.exit(NOT_DONE)
    ctx.exit(1 if counts["failed"] or counts["refused"] else 0)


def tries(loaded: RuleSet, only: str | None = None) -> Iterator[Try]:
    """Yield every try of every loaded rule, or of the `only` one, after one for each refusal."""
    for refusal in loaded.refusals:
        yield Try(str(refusal.path), "refused", "refused", str(refusal))
    for item in (*loaded.rules, *loaded.correlations):
        if only is not None and item.id != only:
            continue
        path = item.identity.path
        try:
            cases = _cases_of(path)
        except CaseFormatError as error:
            yield Try(path, "test events", "failed", str(error))
            continue
        if cases is None:
            yield Try(path, "test events", "untested", "no test events beside it")
            continue
        for wanted, name, given in ((True, "match", cases.match), (False, "no_match", cases.no_match)):
            for number, records in enumerate(given, 1):
                yield _tried(loaded, item.id, Try(path, f"{name} {number}", "passed"), records, wanted)


def report(done: Sequence[Try]) -> bytes:
    """Return the JUnit report: a suite a rule file, a test case a try."""
    root = ElementTree.Element("testsuites", name="davylamp rules test")
    suites: dict[str, list[Try]] = {}
    for one in done:
        suites.setdefault(one.path, []).append(one)
    for path, inside in suites.items():
        counts = {
            "tests": len(inside),
            "failures": sum(one.verdict == "failed" for one in inside),
            "errors": sum(one.verdict == "refused" for one in inside),
            "skipped": sum(one.verdict == "untested" for one in inside),
        }
        told = {name: str(count) for name, count in counts.items()}
        suite = ElementTree.SubElement(root, "testsuite", {"name": _xml(path), **told})
        for one in inside:
            case = ElementTree.SubElement(suite, "testcase", classname=_xml(path), name=one.name)
            tag = {"failed": "failure", "refused": "error", "untested": "skipped"}.get(one.verdict)
            if tag is not None:
                ElementTree.SubElement(case, tag, message=_xml(one.reason or "the verdict is the other one"))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def events_of(records: Sequence[Fields]) -> list[Event]:
    """Return the records as events of the source that recognises each. Raises UnreadableTryError."""
    sources = [profile(kind) for kind in KINDS]
    found: list[Event] = []
    for place, record in enumerate(records):
        source = next((s for s in sources if s.recognise(record)), None)
        if source is None:
            raise UnreadableTryError(f"no source recognises record {place + 1} of it")
        try:
            found.append(source.parse(record, Locator("test", 0, place, 0)))
        except Reject as error:
            raise UnreadableTryError(f"record {place + 1} of it cannot be read: {error}") from error
    return found


def _tried(loaded: RuleSet, rule_id: str, one: Try, records: Sequence[Fields], wanted: bool) -> Try:
    try:
        good = judge(loaded, rule_id, events_of(records)) is wanted
    except UnreadableTryError as error:
        return Try(one.path, one.name, "failed", str(error))
    return one if good else Try(one.path, one.name, "failed")


def _cases_of(path: str) -> Cases | None:
    """Return the cases beside a rule, None when there are none. Raises CaseFormatError."""
    beside = Path(path).with_suffix(SUFFIX)
    if beside.is_file():
        try:
            text = beside.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CaseFormatError(f"{beside}: cannot be read: {type(error).__name__}") from error
        return parse_cases(str(beside), text)
    try:
        return builtin_cases(RuleDocument(path, ""))
    except CaseFormatError:
        return None


def _xml(text: str) -> str:
    """Return `text` with every character that XML 1.0 cannot hold as ``?``."""
    return _NOT_XML.sub("?", text)
