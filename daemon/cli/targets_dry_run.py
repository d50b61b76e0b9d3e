"""`davylamp targets dry-run`: what a rotation of a target would change now; nothing is changed."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from pathlib import Path

import click

from config.errors import ConfigurationError
from config.response import Target
from config.secret import SecretUnreadableError
from config.settings import Settings
from connectors.containment.catalogue import containment_types, containments, needs_of
from connectors.rotation.catalogue import handlers, typed
from connectors.rotation.tools import Tools
from connectors.vault.client import VaultClient
from connectors.vault.secret_text import SecretText
from daemon.cli.database import (
    NOT_DONE,
    USAGE,
    FailedError,
    config_option,
    json_option,
    print_json,
    settings_of,
)
from daemon.cli.listing import print_line
from playbooks.ports import RotationHandler, StepContext, StepFailedError
from playbooks.target import TargetRef, instance_of


@click.command("dry-run")
@click.argument("name")
@click.option("--instance", default="", help="One credential of the target: a lease, an accessor.")
@config_option
@json_option
def dry_run(name: str, instance: str, path: Path | None, as_json: bool) -> None:
    """Look what a rotation of NAME would change now. NAME is its key, mount/name or name."""
    settings = typed(settings_of(path))
    target = named(settings, name)
    ref = TargetRef(target.kind, target.mount, target.name, target.classification, target.owner)
    try:
        ref = instance_of(ref, instance) if instance else ref
    except ValueError as error:
        raise FailedError(f"{target.key}: {error}", USAGE) from error
    handler, lines = looked(settings, ref)
    if as_json:
        print_json({"target": ref.key, "would": list(lines), "grade": handler.best_grade})
        return
    print_line(f"{ref.key}: proof up to grade {handler.best_grade}")
    for line in lines:
        print_line(f"  {line}")
    if handler.irreversible:
        print_line(f"  for good: {handler.irreversible}")


def looked(settings: Settings, ref: TargetRef) -> tuple[RotationHandler, Sequence[str]]:
    """Return the handler of `ref` and what it would change now, a line each. Raises FailedError.

    `settings` have their targets read by kind (`connectors.rotation.catalogue.typed`).
    """
    try:
        handler = _handler(settings, ref)
        if handler is None:
            raise FailedError(f"{ref.key}: no target of this kind is configured", NOT_DONE)
        return handler, handler.dry_run(StepContext(ref, "dry-run", "contain", 1, time.time))
    except StepFailedError as error:
        raise FailedError(f"{ref.key}: {error.reason}", NOT_DONE) from error
    except (ValueError, SecretUnreadableError, ConfigurationError) as error:
        raise FailedError(f"{ref.base_key}: {error}", USAGE) from error


def _handler(settings: Settings, ref: TargetRef) -> RotationHandler | None:
    """Return what acts on `ref`: a containment when it is one of those that may be cut off."""
    if ref.kind in containment_types() and settings.response.containment.targets:
        return containments(needs_of(settings))[ref.kind]
    return handlers(tools_of(settings)).get(ref.kind)


def named(settings: Settings, name: str) -> Target:
    """Return the target that `name` means: its key, mount/name or name. Raises FailedError."""
    for target in settings.response.targets:
        if name in (target.key, f"{target.mount}/{target.name}", target.name):
            return target
    raise FailedError(f"no target {name!r}: see `davylamp targets list`", USAGE)


def tools_of(settings: Settings) -> Tools:
    """Return what a handler is given by a command; `settings` have their targets read by kind."""
    vault = settings.vault
    token = vault.token.reveal if vault.token.given() else str
    client = VaultClient(vault.address, token, timeout_s=vault.timeout_s, ca_file=vault.ca_file)
    return Tools(settings, client, time.sleep, lambda: SecretText(secrets.token_urlsafe(24)))
