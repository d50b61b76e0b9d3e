"""`davylamp database upgrade|grant-web`: the tables of record, and the rights of the pages on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import click

from config.secret import SecretUnreadableError
from connectors.store.database import upgrade as bring_up_to_date
from connectors.store.error import StoreError
from connectors.store.grants import grant_web as grant
from daemon.cli.database import NOT_DONE, USAGE, FailedError, config_option, opened, settings_of


@click.group()
def database() -> None:
    """The database of record."""


@database.command()
@config_option
def upgrade(path: Path | None) -> None:
    """Bring the tables to this version; safe to run again."""
    try:
        bring_up_to_date(settings_of(path).response.database_url.reveal())
    except SecretUnreadableError as error:
        raise FailedError(f"settings: response.database_url: {error}", USAGE) from error
    except StoreError as error:
        raise FailedError(str(error), NOT_DONE) from error
    click.echo("the tables are up to date")


@database.command("grant-web")
@click.argument("login")
@config_option
def grant_web(login: str, path: Path | None) -> None:
    """Give the PostgreSQL LOGIN of the pages its rights, and no more."""
    with opened(settings_of(path), "respond") as store:
        if store.dialect != "postgresql":
            raise click.UsageError("only PostgreSQL has logins; on SQLite the pages' own connection is bound")
        with store.transaction() as connection:
            grant(connection, login)
    click.echo(f"{login} may read everything and write what pages may write")
