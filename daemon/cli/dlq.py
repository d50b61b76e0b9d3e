"""`davylamp dlq`: what could not be read or was refused, and once more after a fix."""

from __future__ import annotations

import click

from daemon.cli.dlq_redrive import redrive
from daemon.cli.dlq_show import show


@click.group()
def dlq() -> None:
    """Dead letters: records and events that could not be read, and documents that a SIEM refused."""


dlq.add_command(show)
dlq.add_command(redrive)
