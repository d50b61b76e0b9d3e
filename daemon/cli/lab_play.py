"""`davylamp lab play`: attacks into the raw topics of a running Davylamp, and what it finds of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click
import orjson
from aiokafka.errors import KafkaError

from config.kafka import Kafka
from config.secret import SecretUnreadableError
from connectors.kafka.error import told
from daemon.cli.database import FailedError, config_option, json_option, settings_of
from daemon.cli.lab_options import end_with, play_options, script_of
from daemon.cli.listing import print_line
from daemon.cli.main import NOT_DONE
from daemon.lab.folder import INVENTORY, LABELS
from daemon.lab.inventory import document
from daemon.lab.playing import NoTopicError, findings_on, send, watching
from daemon.lab.script import Plan, Script
from daemon.lab.verdict import Score

_MINUTES: Final = 10.0
_WAIT_S: Final = 120.0
_BACKGROUND: Final = 300
_PATIENCE_S: Final = 5.0
"""Pauses inside a technique, which may be half an hour on paper, are no longer than this."""


@click.command()
@config_option
@click.option("--bootstrap", metavar="HOST:PORT", multiple=True, help="Brokers, instead of the settings'.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Labels and inventory go here.")
@click.option("--minutes", type=click.FloatRange(0, 1440), default=_MINUTES, show_default=True)
@click.option(
    "--wait", type=click.FloatRange(0, 86_400), default=_WAIT_S, help="Seconds for findings; 0: none."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@play_options(_BACKGROUND)
@json_option
@click.pass_context
def play(
    ctx: click.Context,
    path: Path | None,
    bootstrap: tuple[str, ...],
    out: Path | None,
    minutes: float,
    wait: float,
    yes: bool,
    seed: int,
    background: int,
    chosen: tuple[str, ...],
    mesh_text: bool,
    as_json: bool,
) -> None:
    """Send a play into the raw topics of a running Davylamp and watch its findings.

    Each record goes when its time has come, from now on: what is old on arrival is late for correlations.
    The techniques begin within --minutes; the longest burst takes about three minutes more. What Davylamp
    does with findings it does with these: it opens incidents, pages, and acts where it may.
    """
    settings = settings_of(path)
    kafka = settings.kafka.model_copy(update={"brokers": bootstrap}) if bootstrap else settings.kafka
    topics = {kind: topic for topic, kind in reversed(kafka.topics.kinds().items())}
    plan = Plan(seed, time.time(), minutes * 60, background, chosen, _PATIENCE_S)
    script = script_of(plan)
    if kinds := {one.kind for one in script.played} - topics.keys():
        raise click.UsageError(f"kafka.topics names no topic for {', '.join(sorted(kinds))}")
    if not yes:
        where = f"{', '.join(sorted(topics.values()))} on {', '.join(kafka.brokers)}"
        asked = f"{len(script.played)} records, attacks among them, go to {where}. Send?"
        click.confirm(asked, abort=True, err=True)
    try:
        result = asyncio.run(_played(plan, kafka, topics, out, wait_s=wait, mesh_text=mesh_text))
    except (KafkaError, SecretUnreadableError) as error:
        raise FailedError(f"not done: {told(error)}", NOT_DONE) from error
    except (NoTopicError, OSError) as error:
        raise FailedError(f"not done: {error}", NOT_DONE) from error
    if result is not None:
        end_with(ctx, result, as_json=as_json)
    else:
        print_line(f"{len(script.played)} records sent")


async def _played(
    plan: Plan, kafka: Kafka, topics: Mapping[str, str], out: Path | None, *, wait_s: float, mesh_text: bool
) -> Score | None:
    if not wait_s:
        script = script_of(replace(plan, begin=time.time()))
        _keep(script, (await send(script, kafka, topics, mesh_text=mesh_text)).labels, out)
        return None
    async with watching(kafka) as consumer:
        script = script_of(replace(plan, begin=time.time()))
        sent = await send(script, kafka, topics, mesh_text=mesh_text)
        _keep(script, sent.labels, out)
        return await findings_on(consumer, sent, wait_s)


def _keep(script: Script, labels: Mapping[str, Any], out: Path | None) -> None:
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / LABELS).write_bytes(orjson.dumps(labels, option=orjson.OPT_INDENT_2))
        (out / INVENTORY).write_text(document(script.world), encoding="utf-8")
