"""`davylamp status [--json]`: are the roles up, and is every record and event accounted for?"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console
from rich.table import Table

from config.loader import load
from daemon.status import collect


@click.command()
@click.option(
    "--config", "path", type=click.Path(path_type=Path, dir_okay=False), help="The configuration file."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def status(ctx: click.Context, path: Path | None, as_json: bool) -> None:
    """Show every role and the laws of conservation. Exit 1 if a law is broken or a role is away."""
    report = asyncio.run(collect(load(path, environment=os.environ)))
    if as_json:
        click.echo(orjson.dumps(report))
    else:
        _show(report)
    broken = report["violations"] or any("away" in answer for answer in report["roles"].values())
    ctx.exit(1 if broken else 0)


def _show(report: Mapping[str, Any]) -> None:
    console = Console()
    table = Table("role", "ready", "waiting for", title="roles")
    for role, answer in report["roles"].items():
        away = [name for name, seen in answer.get("dependencies", {}).items() if not seen["up"]]
        table.add_row(role, "yes" if answer.get("ready") else "no", answer.get("away") or ", ".join(away))
    console.print(table)
    counts = Table("role", "what", "count", title="conservation")
    for role, answer in report["roles"].items():
        for name, count in _flat(answer.get("conservation", {}), ""):
            counts.add_row(role, name, f"{count:,}")
    console.print(counts)
    for line in canary_lines(report["roles"].get("forward", {}).get("canary", {})):
        console.print(line, markup=False)
    for text in report["violations"]:
        console.print(f"broken: {text}", markup=False)
    away = [role for role, answer in report["roles"].items() if "away" in answer]
    if away:
        console.print(f"not known of {', '.join(away)}: no answer")
    elif not report["violations"]:
        console.print("every record and event is accounted for")


def canary_lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each target and source of which forward tells; none while canaries are off."""
    if not told.get("every_s"):
        return
    for name, arrival in told["newest"].items():
        searched = arrival["searchable_s"]
        found = "not searched" if searched is None else f"found by a search after {searched:g} s"
        yield f"canary {name}: there after {arrival['acknowledged_s']:g} s, {found}"
    for name in told["late"]:
        yield f"canary {name}: late, none in two periods"


def _flat(value: Any, name: str) -> Iterator[tuple[str, int]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{name} {key}".strip())
    elif isinstance(value, int):
        yield name, value
