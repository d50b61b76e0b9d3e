"""`davylamp siem bootstrap|check`: index templates, and asking a SIEM target whether all is well."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from config.forwarding import ElasticsearchTarget, FileTarget, OpenSearchTarget
from config.secret import Secret, SecretUnreadableError
from config.settings import Settings
from connectors.siem.bootstrap import Standing, apply, older_streams, standings
from connectors.siem.bulk_siem import BulkSiem
from connectors.siem.catalogue import authorization, dialect_of, target_of
from connectors.siem.check import Check, check
from connectors.siem.target import TargetAwayError
from daemon.cli.database import (
    NOT_DONE,
    USAGE,
    F,
    FailedError,
    config_option,
    json_option,
    print_json,
    settings_of,
)
from daemon.cli.listing import print_line

T = TypeVar("T")
ClusterTarget = ElasticsearchTarget | OpenSearchTarget
_REPORT: Final = 1
_LINES: Final = 20
_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
_MARKS: Final = {True: "ok", False: "FAILED", None: "not seen"}


def _cluster_options(command: F) -> F:
    """Add which target, and a credential other than the configured one."""
    command = click.option("--password-file", type=_FILE, help="With --username.")(command)
    command = click.option("--username", help="Another login than the configured one.")(command)
    command = click.option("--api-key-file", type=_FILE, help="Another API key than the configured one.")(
        command
    )
    return click.option("--target", "name", help="One target; all when not given.")(command)


@click.group()
def siem() -> None:
    """SIEM targets: index templates, and whether a target takes documents."""


@siem.command()
@config_option
@json_option
@_cluster_options
@click.option("--dry-run", is_flag=True, help="Say what differs; exit 1 when something does.")
@click.option("--apply", "write", is_flag=True, help="Write what is missing or differs.")
@click.pass_context
def bootstrap(
    ctx: click.Context, path: Path | None, as_json: bool, dry_run: bool, write: bool, **chosen: Any
) -> None:
    """Install the index templates of Elasticsearch and OpenSearch targets. Twice is as good as once."""
    if dry_run == write:
        raise click.UsageError("give one of --dry-run and --apply")
    settings = settings_of(path)
    found = [
        (target, _with(target, settings, lambda siem: _bootstrapped(siem, write)))
        for target in _chosen(settings, **chosen)
    ]
    if as_json:
        print_json({"targets": [{"name": t.name, "applied": write, **_document(*it)} for t, it in found]})
    for target, (listed, streams) in () if as_json else found:
        _print_standings(target, listed, streams, write)
    differs = any(standing.state != "same" for _, (listed, _) in found for standing in listed)
    ctx.exit(_REPORT if dry_run and differs else 0)


@siem.command("check")
@config_option
@json_option
@_cluster_options
@click.pass_context
def check_(ctx: click.Context, path: Path | None, as_json: bool, **chosen: Any) -> None:
    """Write a marked test document into the audit stream, read it back, and name what is wrong."""
    settings = settings_of(path)
    found = [
        (target, _with(target, settings, lambda siem: check(siem, time.time)))
        for target in _chosen(settings, **chosen)
    ]
    if as_json:
        print_json(
            {"targets": [{"name": t.name, "checks": [_check(c) for c in checks]} for t, checks in found]}
        )
    for target, checks in () if as_json else found:
        for one in checks:
            print_line(f"{target.name}: {one.name}: {_MARKS[one.passed]}: {one.detail}")
    failed = [one for _, checks in found for one in checks if one.passed is False]
    away = any(one.name == "reachable" for one in failed)
    ctx.exit(NOT_DONE if away else _REPORT if failed else 0)


def _chosen(
    settings: Settings,
    name: str | None,
    api_key_file: Path | None,
    username: str | None,
    password_file: Path | None,
) -> list[ClusterTarget]:
    """Return the targets that are clusters, with the credential of the options."""
    if bool(username) != bool(password_file) or (username and api_key_file):
        raise click.UsageError("give --username with --password-file, or --api-key-file alone")
    known = {target.name: target for target in settings.forwarding.targets}
    if name is not None and name not in known:
        raise FailedError(f"no target {name!r}: there are {', '.join(known)}", USAGE)
    found: list[ClusterTarget] = []
    for target in known.values() if name is None else [known[name]]:
        if isinstance(target, FileTarget):
            click.echo(f"{target.name}: a file target: nothing to ask and nothing to install", err=True)
        else:
            found.append(_as(target, api_key_file, username, password_file))
    return found


def _as(
    target: ClusterTarget, api_key_file: Path | None, username: str | None, password_file: Path | None
) -> ClusterTarget:
    update: dict[str, object] = {}
    if api_key_file is not None:
        if isinstance(target, OpenSearchTarget):
            raise FailedError(f"{target.name}: OpenSearch knows no API keys: use --username", USAGE)
        update = {"api_key": Secret(file=api_key_file), "username": "", "password": Secret()}
    elif username:
        update = {"username": username, "password": Secret(file=password_file)}
        if isinstance(target, ElasticsearchTarget):
            update["api_key"] = Secret()
    try:
        authorization(chosen := target.model_copy(update=update))
    except SecretUnreadableError as error:
        raise FailedError(f"{target.name}: {error}", USAGE) from None
    return chosen


def _with(target: ClusterTarget, settings: Settings, work: Callable[[BulkSiem], Awaitable[T]]) -> T:
    """Run `work` with the open target; a target that is away or refuses is exit code 3."""

    async def run() -> T:
        siem = target_of(target, settings.forwarding.namespace, random.random)
        assert isinstance(siem, BulkSiem)
        try:
            await siem.open()
            return await work(siem)
        finally:
            await siem.close()

    try:
        return asyncio.run(run())
    except TargetAwayError as error:
        raise FailedError(str(error), NOT_DONE) from None


async def _bootstrapped(siem: BulkSiem, write: bool) -> tuple[list[Standing], list[str]]:
    found = await standings(siem.cluster, siem.dialect)
    changed = any(standing.state != "same" for standing in found)
    streams = await older_streams(siem.cluster, siem.namespace) if changed else []
    if write:
        await apply(siem.cluster, found)
    return found, streams


def _print_standings(
    target: ClusterTarget, found: Sequence[Standing], streams: Sequence[str], written: bool
) -> None:
    for standing in found:
        done = " (written)" if written and standing.state != "same" else ""
        print_line(
            f"{target.name}: {standing.template.kind} {standing.template.name}: {standing.state}{done}"
        )
        for line in standing.lines[:_LINES]:
            print_line(f"  {line}")
        if len(standing.lines) > _LINES:
            print_line(f"  and {len(standing.lines) - _LINES} more")
    if note := dialect_of(target).retention:
        print_line(f"{target.name}: {note}")
    for stream in streams:
        print_line(f"{target.name}: {stream} is there already: what changed counts from its next rollover on")


def _document(found: Sequence[Standing], streams: Sequence[str]) -> dict[str, object]:
    return {
        "templates": [
            {"kind": s.template.kind, "name": s.template.name, "state": s.state, "differences": list(s.lines)}
            for s in found
        ],
        "older_streams": list(streams),
    }


def _check(one: Check) -> dict[str, object]:
    return {"name": one.name, "passed": one.passed, "detail": one.detail}
