"""`davylamp run [ROLE] --config FILE`: the daemon."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

import click
import orjson

from config.loader import load
from config.response import Target
from config.settings import ROLES, Role, Settings


@click.command()
@click.argument("role", required=False, type=click.Choice(ROLES))
@click.option(
    "--config", "path", type=click.Path(path_type=Path, dir_okay=False), help="The configuration file."
)
@click.option("--without-web", is_flag=True, help="Start no pages.")
@click.option("--settings-fd", type=int, hidden=True)
@click.option("--parent", type=int, hidden=True)
@click.pass_context
def run(
    ctx: click.Context,
    role: Role | None,
    path: Path | None,
    without_web: bool,
    settings_fd: int | None,
    parent: int | None,
) -> None:
    """Run all five roles as child processes, or ROLE alone in this process."""

    def reread() -> Settings:
        kinds = _target_kinds() if role in (None, "respond") else None
        return load(path, environment=os.environ, target_kinds=kinds)

    settings = _from_pipe(settings_fd) if settings_fd is not None else reread()
    if role is not None:
        from daemon.process import run_role

        again = reread if settings_fd is None else None
        ctx.exit(run_role(role, settings, parent=parent, reread=again))
    from daemon import logs
    from daemon.supervisor import Supervisor

    logs.configure(settings.operation.log_level, "supervisor")
    roles: list[Role] = [r for r in ROLES if not (without_web and r == "web")]
    ctx.exit(asyncio.run(Supervisor(settings, roles, reread).run()))


def _target_kinds() -> Mapping[str, type[Target]]:
    """Return the models of what can be rotated; only a process that rotates reads that room."""
    from connectors.rotation.catalogue import target_kinds

    return target_kinds()


def _from_pipe(descriptor: int) -> Settings:
    with os.fdopen(descriptor, "rb") as pipe:
        return Settings.model_validate(orjson.loads(pipe.read()))
