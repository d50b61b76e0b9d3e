"""Which kinds of credentials can be rotated: every file of this room that says HANDLER."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from string import Template
from typing import Protocol, cast

import connectors.rotation
from config.settings import Settings
from connectors.rotation.tools import Tools
from playbooks.ports import RotationHandler, StepSpec


class HandlerType(Protocol):
    """A handler's class: what it is for, what it may do, how it is made."""

    kind: str
    permissions: tuple[str, ...]
    example: str
    STEPS: Sequence[StepSpec]

    @classmethod
    def from_settings(cls, tools: Tools) -> RotationHandler:
        """Return the handler of all configured targets of its kind. Raises ConfigurationError."""
        ...


def handler_types() -> dict[str, HandlerType]:
    """Return kind -> class, in the order of file names."""
    found: dict[str, HandlerType] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(connectors.rotation.__path__)):
        handler = getattr(importlib.import_module(f"connectors.rotation.{module}"), "HANDLER", None)
        if handler is not None:
            found[handler.kind] = cast(HandlerType, handler)
    return found


def handlers(tools: Tools) -> dict[str, RotationHandler]:
    """Return kind -> handler for the kinds that configured targets have. Raises ConfigurationError."""
    wanted = {target.kind for target in tools.settings.response.targets}
    return {kind: made.from_settings(tools) for kind, made in handler_types().items() if kind in wanted}


def policy(settings: Settings) -> str:
    """Return the least vault policy (HCL) that rotating the configured targets needs."""
    types = handler_types()
    stanzas: dict[str, None] = {}
    for target in settings.response.targets:
        for text in types[target.kind].permissions:
            stanza = Template(text).substitute(
                mount=target.mount,
                name=target.name,
                escrow_mount=settings.vault.escrow_mount,
                escrow_key=settings.vault.escrow_key,
            )
            stanzas[stanza] = None
    return "\n".join(stanzas) + "\n"
