"""`davylamp targets consumers`: who uses a target's credential now, before anything is rotated."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from config.errors import ConfigurationError
from config.secret import SecretUnreadableError
from config.settings import Settings
from connectors.consumers.watch import Watch
from connectors.rotation.catalogue import handlers, typed
from connectors.rotation.failing import guarded
from connectors.rotation.tools import Tools
from connectors.store.database import Database
from daemon.cli.database import (
    NOT_DONE,
    USAGE,
    FailedError,
    config_option,
    json_option,
    opened,
    print_json,
    settings_of,
)
from daemon.cli.listing import print_line, print_table
from daemon.cli.targets_dry_run import named, tools_of
from playbooks.ports import ConsumersKnown, ConsumersNow, StepContext, StepFailedError
from playbooks.target import TargetRef


@click.command("consumers")
@click.argument("name")
@config_option
@json_option
def consumers(name: str, path: Path | None, as_json: bool) -> None:
    """Look who uses NAME's credential now: by inventory, sessions, reads in the vault, mounts."""
    settings = typed(settings_of(path))
    target = named(settings, name)
    ref = TargetRef(target.kind, target.mount, target.name, target.classification, target.owner)
    with opened(settings) as database:
        now = looked(settings, database, ref)
    if as_json:
        print_json(document(ref, now))
        return
    place = f", consumers move to {now.new}" if now.new else ""
    print_line(f"{ref.key}: {now.old} is in use{place}")
    print_table(
        ("consumer", "known by", now.old, now.new or "new"),
        [
            (name, ", ".join(one.known_by), one.old or "-", "seen" if one.new_at is not None else "-")
            for name, one in sorted(now.convergence.consumers.items())
        ],
    )


def looked(settings: Settings, database: Database, ref: TargetRef) -> ConsumersNow:
    """Return who uses `ref`. Raises FailedError."""
    try:
        handler = handlers(_tools(settings, database)).get(ref.kind)
        if not isinstance(handler, ConsumersKnown):
            raise FailedError(f"{ref.key}: who uses such a target cannot be seen", NOT_DONE)
        return handler.consumers(StepContext(ref, "consumers", "orderly", 1, time.time))
    except StepFailedError as error:
        raise FailedError(f"{ref.key}: {error.reason}", NOT_DONE) from error
    except (ValueError, SecretUnreadableError, ConfigurationError) as error:
        raise FailedError(f"{ref.base_key}: {error}", USAGE) from error


def document(ref: TargetRef, now: ConsumersNow) -> Mapping[str, Any]:
    """Return what was seen, for JSON."""
    return {
        "target": ref.key,
        "old": now.old,
        "new": now.new,
        "consumers": [
            {
                "name": name,
                "known_by": list(one.known_by),
                "expected": one.expected,
                "on_old": one.old,
                "on_new": one.new_at is not None,
            }
            for name, one in sorted(now.convergence.consumers.items())
        ],
    }


def _tools(settings: Settings, database: Database) -> Tools:
    """Return the tools with the inventory and the vault's readers, Davylamp's own left out."""
    tools = tools_of(settings)
    own = guarded(tools.vault.identity)
    ours = (("vault_entity", own.entity), ("vault_token", own.accessor))
    return replace(tools, consumers=Watch.of(settings, database, lambda: ours))
