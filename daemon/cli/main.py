"""The `davylamp` command: commands are found by name and loaded when they run, so that start is quick."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import Final

import click

from config.errors import ConfigurationError

_COMMANDS: Final[dict[str, str]] = {
    "actions": "daemon.cli.actions:actions",
    "audit": "daemon.cli.audit:audit",
    "config": "daemon.cli.config:config",
    "containments": "daemon.cli.containments:containments",
    "database": "daemon.cli.database_command:database",
    "demo": "daemon.cli.demo:demo",
    "dlq": "daemon.cli.dlq:dlq",
    "exceptions": "daemon.cli.exceptions:exceptions",
    "incidents": "daemon.cli.incidents:incidents",
    "inventory": "daemon.cli.inventory:inventory",
    "lab": "daemon.cli.lab:lab",
    "normalise": "daemon.cli.normalise:normalise",
    "playbooks": "daemon.cli.playbooks:playbooks",
    "replay": "daemon.cli.replay:replay",
    "rules": "daemon.cli.rules:rules",
    "run": "daemon.cli.run:run",
    "scan": "daemon.cli.scan:scan",
    "siem": "daemon.cli.siem:siem",
    "status": "daemon.cli.status:status",
    "switch": "daemon.cli.switch:switch",
    "targets": "daemon.cli.targets:targets",
    "topics": "daemon.cli.topics:topics",
}

USAGE: Final = 2
NOT_DONE: Final = 3
INTERNAL: Final = 70


class LazyGroup(click.Group):
    """A group whose commands are imported on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, sorted: the listing is the catalogue."""
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command, or None if there is none of that name."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        return getattr(importlib.import_module(module), name)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="davylamp", prog_name="davylamp")
def cli() -> None:
    """Davylamp: recognises attacks, rotates leaked credentials, proves the old ones dead."""


def main(command: click.Command = cli) -> None:
    """Run the command line with the exit codes of the contract."""
    try:
        code = command.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.Abort:
        click.echo("stopped", err=True)
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except ConfigurationError as error:
        click.echo(str(error), err=True)
        code = USAGE
    except Exception:
        # What nobody foresaw: Python's own exit code would be that of "something to report".
        traceback.print_exc()
        code = INTERNAL
    sys.exit(code if isinstance(code, int) else 0)
