"""`davylamp topics create`: Davylamp's own topics with the right shape, and who may do what on them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
import orjson
from aiokafka.errors import KafkaError

from config.loader import load
from config.settings import Settings
from connectors.kafka.access import HOLDERS, Acl, Holder, Names, acls
from connectors.kafka.error import AclRefusedError, TopicRefusedError
from connectors.kafka.setting_up import Outcome, set_up
from connectors.kafka.topics import changelog_definitions, definitions, raw_definitions
from daemon.cli.main import NOT_DONE

if TYPE_CHECKING:
    from aiokafka.admin import NewTopic


@click.group()
def topics() -> None:
    """Kafka topics."""


@topics.command()
@click.option(
    "--config", "path", type=click.Path(path_type=Path, dir_okay=False), help="The configuration file."
)
@click.option(
    "--raw", is_flag=True, help="Also the raw topics (a laptop; in production the platform owns them)."
)
@click.option("--acls", "with_acls", is_flag=True, help="Also the rights of each role, and no others.")
@click.option(
    "--principal",
    "given",
    multiple=True,
    metavar="ROLE=NAME",
    help="Whom a role logs in as (davylamp-ROLE); platform=NAME: also the rights of who writes raw topics.",
)
@click.option("--dry-run", is_flag=True, help="Say what is missing and make nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def create(
    ctx: click.Context,
    path: Path | None,
    raw: bool,
    with_acls: bool,
    given: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Create the missing topics and rights; what is there is left as it is, and named where it differs."""
    settings = load(path, environment=os.environ)
    principals = _principals(given)
    if given and not with_acls:
        raise click.UsageError("--principal is of use with --acls only")
    wanted = _topics(settings, raw=raw, changelogs=with_acls)
    rights = acls(_names(settings), principals) if with_acls else []
    try:
        outcome = asyncio.run(set_up(settings.kafka, wanted, rights, dry_run=dry_run))
    except (KafkaError, OSError, TopicRefusedError, AclRefusedError) as error:
        click.echo(f"not done: {error}", err=True)
        ctx.exit(NOT_DONE)
    if as_json:
        click.echo(orjson.dumps(outcome.to_json()))
    else:
        _show(outcome)


def _principals(given: Sequence[str]) -> Mapping[Holder, str]:
    """Return role -> `User:NAME`; `platform` only if given. Raises click.UsageError."""
    found: dict[Holder, str] = {role: f"User:davylamp-{role}" for role in HOLDERS if role != "platform"}
    for text in given:
        role, _, name = text.partition("=")
        if role not in HOLDERS or not name:
            raise click.UsageError(
                f"--principal {text}: ROLE=NAME, where ROLE is one of {', '.join(HOLDERS)}"
            )
        found[cast(Holder, role)] = name if name.startswith("User:") else f"User:{name}"
    return found


def _topics(settings: Settings, *, raw: bool, changelogs: bool) -> list[NewTopic]:
    wanted = definitions(settings.kafka)
    if raw:
        wanted += raw_definitions(settings.kafka, settings.kafka.internal_partitions)
    if changelogs:
        wanted += changelog_definitions(settings.kafka, _changelogs())
    return wanted


def _names(settings: Settings) -> Names:
    from daemon.roles.correlate.application import APP_ID
    from daemon.roles.detect.role import GROUP as DETECT
    from daemon.roles.forward.forwarder import group_of
    from daemon.roles.respond.consuming import GROUP as RESPOND

    targets = tuple(group_of(target.name) for target in settings.forwarding.targets)
    groups = {"detect": (DETECT,), "correlate": (APP_ID,), "respond": (RESPOND,), "forward": targets}
    raw = tuple(settings.kafka.topics.kinds())
    return Names(raw, groups, _changelogs(), raw if settings.canary.on else ())


def _changelogs() -> tuple[str, ...]:
    from daemon.roles.correlate.application import APP_ID

    return tuple(f"{APP_ID}-{table}-changelog" for table in ("correlations", "baselines"))


def _show(outcome: Outcome) -> None:
    made = "would create" if outcome.dry_run else "created"
    news = [state.topic for state in outcome.topics if not state.there]
    for topic in news:
        settings = ", ".join(f"{name}={value}" for name, value in topic.topic_configs.items())
        click.echo(f"{made} topic {topic.name}: {topic.num_partitions} partitions, {settings}")
    if not news:
        click.echo("every topic is there")
    for state in outcome.topics:
        for name, (found, wanted) in state.differs.items():
            click.echo(f"differs: topic {state.topic.name}: {name} is {found}, the contract wants {wanted}")
    _show_rights(outcome, made)


def _show_rights(outcome: Outcome, made: str) -> None:
    for acl in outcome.acls:
        if acl in outcome.missing_acls:
            click.echo(f"{made} right {_said(acl)}")
    if outcome.acls and not outcome.missing_acls:
        click.echo("every right is there")
    for held in outcome.beyond:
        click.echo(
            f"beyond the contract: {held.principal} may {held.operation} {held.pattern} topic {held.name}"
        )


def _said(acl: Acl) -> str:
    return f"{acl.principal} {acl.operation} {acl.resource} {acl.name}"
