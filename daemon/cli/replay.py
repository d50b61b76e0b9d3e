"""`davylamp replay`: what the rules say of a period now, against the findings that are stored."""

from __future__ import annotations

import errno
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import click

from config.detection import Detection
from config.settings import Settings
from connectors.kafka.bounded_reading import ungrouped
from connectors.kafka.topics import FINDINGS
from connectors.sources.catalogue import KINDS
from connectors.sources.istio_configured import configured
from daemon.cli.database import NOT_DONE, FailedError, config_option, json_option, settings_of
from daemon.cli.letter_options import done
from daemon.cli.replay_progress import RecordProgress
from daemon.cli.replay_report import Report
from daemon.cli.scan import EventTime
from daemon.cli.scan_files import opened
from daemon.cli.scan_progress import ScanProgress
from daemon.cli.scan_summary import print_unused
from daemon.garbage import settle
from daemon.holding import standings_in
from daemon.replaying import Replaying, TooMuchError, reaches
from daemon.replaying_comparison import Comparison, Edges
from daemon.replaying_kafka import Span, span
from daemon.replaying_stored import concerns, finding_of, findings_of
from daemon.ruleset import ruleset
from daemon.scan_tally import Period
from detectors.finding import FindingFormatError, rfc3339
from detectors.lifecycle.state import awake

_FOREVER = Period()


class OutputGoneError(Exception):
    """Nobody reads stdout any more: no fault of the brokers, whose errors are OSErrors too."""


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--source", "kind", required=True, type=click.Choice(KINDS), help="Whose events.")
@click.option("--since", type=EventTime(), required=True, help="Events of this time and later.")
@click.option("--until", type=EventTime(), default=_FOREVER.end, help="Events before this time.")
@click.option(
    "--rules",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Rules in place of those that the configuration names.",
)
@click.option("--no-builtin", is_flag=True, help="Leave the shipped rules out.")
@click.option(
    "--against",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Compare with these findings (JSON Lines, as of `scan --json`), not with those in Kafka.",
)
@click.option(
    "--junit", type=click.Path(path_type=Path, dir_okay=False), help="Also write a JUnit report (XML)."
)
@json_option
@config_option
@click.pass_context
def replay(
    ctx: click.Context,
    files: tuple[Path, ...],
    kind: str,
    since: float,
    until: float,
    folders: tuple[Path, ...],
    no_builtin: bool,
    against: Path | None,
    junit: Path | None,
    as_json: bool,
    path: Path | None,
) -> None:
    """Judge the events of a period once more and compare; exit 1 when something is new, gone or changed.

    The events come from the raw topics of the source, or from FILES and folders. Nothing is written and no
    group is joined. Times are those in the events: RFC 3339, or a date in UTC. Of Kafka is read what the
    topics hold when the command starts.

    Compared are final findings of Sigma rules and correlations of the one source. A finding whose rule looks
    beyond the period is `at the edge`: it is named and does not change the exit code.
    """
    if since >= until:
        raise click.UsageError("--until is not after --since")
    settings = settings_of(path)
    click.echo(f"replaying {kind} since {rfc3339(since)}", err=True)
    rules = ruleset(_detection(settings.detection, folders, no_builtin))
    for refusal in rules.refusals:
        click.echo(str(refusal), err=True)
    rules = awake(rules, standings_in(settings.detection.lifecycle))
    period = Period(since, until)
    click.echo(f"{len(rules.rules)} rules, {len(rules.correlations)} correlations", err=True)
    paths = opened(files)
    source = configured(kind, settings.istio)
    replaying = Replaying(source, rules, period, settings.detection.max_record_bytes)
    comparison = Comparison(Edges(since, until, reaches(rules.correlations)))
    report = Report(kind, period, comparison, replaying.tally, lines=not as_json)
    settle()
    run = _Run(settings, replaying, report)
    try:
        if against is not None:
            run.store_from(against)
        if against is None or not paths:
            done(settings.kafka, run.kafka(stored=against is None, events=not paths))
        if paths:
            run.files(paths)
        for difference in comparison.rest():
            report.take(difference)
    except OutputGoneError:
        raise BrokenPipeError(errno.EPIPE, "stdout") from None
    except BrokenPipeError:
        raise
    except (TooMuchError, OSError) as error:
        raise FailedError(str(error), NOT_DONE) from error
    _tell(report, junit, as_json=as_json)
    ctx.exit(1 if report.differs else 0)


@dataclass(frozen=True, slots=True)
class _Run:
    """The reading of both sides, from files and from Kafka."""

    settings: Settings
    replaying: Replaying
    report: Report

    def store_from(self, path: Path) -> None:
        """Take the stored findings of a file. Raises StoredUnreadableError, TooMuchError."""
        report = self.report
        for finding in findings_of(path):
            if concerns(finding, report.kind, report.period):
                report.comparison.store(finding, self.replaying.left_out)

    def files(self, paths: list[Path]) -> None:
        """Judge the events of files. Raises FileUnreadableError, TooMuchError."""
        report = self.report
        with ScanProgress(paths, self.replaying.tally, wanted=report.lines or not sys.stdout.isatty()) as bar:
            for finding in self.replaying.files(bar.followed(paths)):
                report.take(report.comparison.meet(finding))

    async def kafka(self, *, stored: bool, events: bool) -> None:
        """Take what Kafka holds of the findings, of the events, or of both.

        Raises aiokafka.errors.KafkaError, NoEntryError, TooMuchError, OutputGoneError.
        """
        kafka, report = self.settings.kafka, self.report
        lateness = self.settings.detection.lateness.of(report.kind)
        since = report.period.start - lateness
        edges = report.comparison.edges
        start, end = edges.start, min(edges.end, time.time() - lateness) if stored else edges.end
        topics = [topic for topic, kind in kafka.topics.kinds().items() if kind == report.kind]
        async with ungrouped(kafka) as consumer:
            raw = await span(kafka, consumer, topics, since) if events else None
            found = await span(kafka, consumer, [FINDINGS], since) if stored else None
            for part in filter(None, (raw, found)):
                report.later.extend(await part.gone(report.period.start))
            start = max([start, *(later.at for later in report.later)])
            report.comparison.edges = Edges(start, end, edges.reaches)
            if found is not None:
                await self._findings(found)
            if raw is not None:
                await self._events(raw, ", ".join(topics))

    async def _findings(self, found: Span) -> None:
        report = self.report
        with RecordProgress(FINDINGS, found.records, wanted=report.lines) as bar:
            async for record in found.read():
                bar.record_read()
                try:
                    finding = finding_of(record.value)
                except FindingFormatError:
                    report.unreadable += 1
                    continue
                if concerns(finding, report.kind, report.period):
                    report.comparison.store(finding, self.replaying.left_out)

    async def _events(self, raw: Span, what: str) -> None:
        report = self.report
        click.echo(f"{what}: {raw.records:,} records", err=True)
        try:
            with RecordProgress(what, raw.records, wanted=report.lines) as bar:
                async for record in raw.read():
                    bar.record_read()
                    for finding in self.replaying.record(record):
                        report.take(report.comparison.meet(finding))
            for finding in self.replaying.finals():
                report.take(report.comparison.meet(finding))
        except BrokenPipeError as error:
            raise OutputGoneError from error


def _detection(detection: Detection, folders: tuple[Path, ...], no_builtin: bool) -> Detection:
    """Return what rules are loaded by: the settings', but for what the command line says."""
    changes: dict[str, object] = {"rules": folders} if folders else {}
    if no_builtin:
        changes["builtin_rules"] = False
    return detection.model_copy(update=changes)


def _tell(report: Report, junit: Path | None, *, as_json: bool) -> None:
    """Print the end of the report. Raises FailedError when the JUnit report cannot be written."""
    print_unused(report.tally)
    report.notes()
    if as_json:
        report.document()
    else:
        report.table()
    if junit is not None:
        try:
            junit.write_bytes(report.junit())
        except OSError as error:
            raise FailedError(f"{junit}: {error.strerror}", NOT_DONE) from error
