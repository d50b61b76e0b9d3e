"""The database as commands open it: read-only or respond's, with the contract's exit codes for what fails."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from config.loader import load
from config.secret import SecretUnreadableError
from config.settings import Settings
from connectors.store.database import Database, StoreRole
from connectors.store.error import StoreError

F = TypeVar("F", bound=Callable[..., Any])
USAGE: Final = 2
NOT_DONE: Final = 3
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


class FailedError(click.ClickException):
    """A command that cannot be carried out; `code` is the exit code of the contract."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = code


def config_option(command: F) -> F:
    """Add ``--config FILE`` as `path`."""
    kind = click.Path(path_type=Path, dir_okay=False)
    return click.option("--config", "path", type=kind, help="The configuration file.")(command)


def json_option(command: F) -> F:
    """Add ``--json`` as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")(command)


def settings_of(path: Path | None) -> Settings:
    """Return the settings of a file and the environment. Raises ConfigurationError."""
    return load(path, environment=os.environ)


@contextmanager
def opened(settings: Settings, role: StoreRole = "read") -> Iterator[Database]:
    """Yield the database of record; what goes wrong becomes exit code 2 (settings) or 3 (database)."""
    try:
        url = settings.response.database_url.reveal()
    except SecretUnreadableError as error:
        raise FailedError(f"settings: response.database_url: {error}", USAGE) from error
    try:
        database = Database(url, role=role)
        try:
            yield database
        finally:
            database.close()
    except StoreError as error:
        raise FailedError(str(error), NOT_DONE) from error


def checked_id(text: str) -> str:
    """Return an incident's or action's id. Raises BadParameter for anything else."""
    if not _ID.match(text):
        raise click.BadParameter(
            f"{text[:64]!r} is not an id; ids look like {'0' * 8}-0000-8000-8000-{'0' * 12}"
        )
    return text


def print_json(document: Any) -> None:
    """Print one JSON document and nothing else, in ASCII: findings may hold lone surrogates."""
    click.echo(json.dumps(document, indent=2, allow_nan=False))
