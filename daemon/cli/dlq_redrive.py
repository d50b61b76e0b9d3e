"""`davylamp dlq redrive`: the records of dead letters once more, with that role's rights and secrets only."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import click
import orjson

from config.settings import Settings
from connectors.kafka.bounded_reading import ungrouped
from connectors.kafka.letter import Letter, NotALetterError
from connectors.kafka.producer import ConfirmedProducer
from connectors.siem.catalogue import target_of
from connectors.sources.istio_configured import configured
from daemon.cli.database import config_option, json_option, print_json, settings_of
from daemon.cli.letter_options import done, filters
from daemon.cli.listing import print_table
from daemon.letters import Wanted, letters
from daemon.redriving import Redrive, ToDetection, ToTargets, redrive_letters
from daemon.roles.forward.forwarder import readers_of
from daemon.ruleset import ruleset
from detectors.sigma.engine import Engine

_LEAVE_S = 5.0
_LEFT = ("still_unreadable", "gone", "unknown_origin", "rejected", "rules_failed")


@click.command()
@config_option
@json_option
@filters
@click.option(
    "--role",
    type=click.Choice(["detect", "forward"]),
    default="detect",
    show_default=True,
    help="As whom: detect runs the rules again, forward delivers to the SIEM targets.",
)
@click.option(
    "--letters",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Letters that `dlq show --json` wrote, where this principal may not read the topic.",
)
@click.option("--rate", type=click.FloatRange(0.1), default=500.0, show_default=True, help="Events a second.")
@click.option("--dry-run", is_flag=True, help="Read everything again and send nothing.")
@click.pass_context
def redrive(
    ctx: click.Context,
    path: Path | None,
    as_json: bool,
    reason: str | None,
    source: str | None,
    target: str | None,
    role: str,
    file: Path | None,
    rate: float,
    dry_run: bool,
) -> None:
    """Read the records of dead letters again at their origin, after a fix. Twice is the same as once.

    Exit 1 when something is still unreadable, refused, or gone from its topic.
    """
    settings = settings_of(path)
    wanted = Wanted(reason, source, target)
    given = None if file is None else _given(file)
    counts: Counter[str] = Counter()
    try:
        done(settings.kafka, _redriven(settings, role, wanted, given, counts, rate=rate, dry_run=dry_run))
    finally:
        shown = {name: number for name, number in sorted(counts.items()) if number}
        if as_json:
            print_json({"schema": "davylamp.redrive/1", "role": role, "dry_run": dry_run, "counts": shown})
        else:
            print_table(("what", "count"), shown.items())
    ctx.exit(1 if any(counts[name] for name in _LEFT) else 0)


def _given(file: Path) -> list[Letter]:
    try:
        document = orjson.loads(file.read_bytes())
        return [Letter.from_json(item) for item in document["letters"]]
    except (OSError, ValueError, TypeError, KeyError, NotALetterError) as error:
        raise click.UsageError(f"{file}: not what `davylamp dlq show --json` prints: {error}") from error


async def _redriven(
    settings: Settings,
    role: str,
    wanted: Wanted,
    given: Sequence[Letter] | None,
    counts: Counter[str],
    *,
    rate: float,
    dry_run: bool,
) -> None:
    """Redrive what is wanted; `given` are letters from a file, else the topic is read."""
    kafka = settings.kafka
    if given is None:
        chosen = [letter async for letter in letters(kafka, wanted)]
    else:
        chosen = [letter for letter in given if wanted.holds(letter)]
    if role == "detect":
        opened = _to_detection(settings, dry_run=dry_run)
    else:
        opened = _to_targets(settings, wanted.target, dry_run=dry_run)
    topics = settings.kafka.topics.kinds() if role == "detect" else readers_of(settings, time.time)
    async with opened as way, ungrouped(kafka) as consumer:
        async for gave in redrive_letters(consumer, chosen, way, topics, counts):
            await asyncio.sleep(gave / rate)


@asynccontextmanager
async def _to_detection(settings: Settings, *, dry_run: bool) -> AsyncIterator[Redrive]:
    """Yield the way of detect."""
    producer = ConfirmedProducer(settings.kafka, _say)
    source_of = {
        topic: configured(kind, settings.istio) for topic, kind in settings.kafka.topics.kinds().items()
    }
    inspect = Engine(ruleset(settings.detection)).inspect
    try:
        yield ToDetection(
            source_of,
            inspect,
            None if dry_run else producer.send_all,
            settings.detection.max_record_bytes,
        )
    finally:
        await producer.stop(_LEAVE_S)


@asynccontextmanager
async def _to_targets(settings: Settings, only: str | None, *, dry_run: bool) -> AsyncIterator[Redrive]:
    """Yield the way of forward, to all targets or to one. Raises UsageError, TargetAwayError."""
    namespace = settings.forwarding.namespace
    targets = {
        known.name: target_of(known, namespace, random.random)
        for known in settings.forwarding.targets
        if only in (None, known.name)
    }
    if not targets:
        raise click.UsageError(f"forwarding.targets: there is no target {only or 'at all'}")
    try:
        if not dry_run:
            for target in targets.values():
                await target.open()
        yield ToTargets(readers_of(settings, time.time), targets, None if dry_run else asyncio.sleep)
    finally:
        for target in targets.values():
            await target.close()


def _say(up: bool, detail: str) -> None:
    if not up:
        click.echo(detail, err=True)
