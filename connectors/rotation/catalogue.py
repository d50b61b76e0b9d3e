"""Which kinds of credentials can be rotated: every file of this room that says HANDLER."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol, cast

from pydantic import ValidationError

import connectors.rotation
from config.errors import ConfigurationError, Problem
from config.response import Target
from config.settings import Settings
from connectors.rotation.handler import stanzas
from connectors.rotation.tools import Tools
from playbooks.ports import RotationHandler, StepSpec
from playbooks.proof import Grade


class HandlerType(Protocol):
    """A handler's class: what it is for, what it may do, how it is made. `TARGET` models its targets."""

    kind: str
    permissions: tuple[str, ...]
    example: str
    best_grade: Grade
    irreversible: str
    STEPS: Sequence[StepSpec]
    TARGET: type[Target]

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


def target_kinds() -> Mapping[str, type[Target]]:
    """Return kind -> model of its targets, for `config.loader.load`."""
    return {kind: made.TARGET for kind, made in handler_types().items()}


def routine_kinds() -> frozenset[str]:
    """Return the kinds that a schedule may rotate: those whose handler says ``ROUTINE = True``.

    They leave a successor where consumers find it; of the others a rotation only takes something away.
    """
    return frozenset(kind for kind, made in handler_types().items() if getattr(made, "ROUTINE", False))


def typed(settings: Settings) -> Settings:
    """Return `settings` with every target read by its kind's model. Raises ConfigurationError with all
    that is wrong.
    """
    kinds = target_kinds()
    targets: list[Target] = []
    problems: list[Problem] = []
    for index, target in enumerate(settings.response.targets):
        model = kinds.get(target.kind)
        place, key = f"target {target.name}", f"response.targets.{index}"
        if model is None:
            problems.append(Problem(place, f"{key}.kind", f"is no kind (allowed: {', '.join(kinds)})"))
            continue
        try:
            targets.append(target if isinstance(target, model) else model.model_validate(dict(target)))
        except ValidationError as error:
            problems += [
                Problem(place, ".".join((key, *map(str, item["loc"]))), str(item["msg"]))
                for item in error.errors(include_url=False, include_input=False)
            ]
    if problems:
        raise ConfigurationError(problems)
    return settings.model_copy(
        update={"response": settings.response.model_copy(update={"targets": tuple(targets)})}
    )


def handlers(tools: Tools) -> dict[str, RotationHandler]:
    """Return kind -> handler for the kinds that configured targets have. Raises ConfigurationError."""
    tools = replace(tools, settings=typed(tools.settings))
    wanted = {target.kind for target in tools.settings.response.targets}
    return {kind: made.from_settings(tools) for kind, made in handler_types().items() if kind in wanted}


def policy(settings: Settings) -> str:
    """Return the least vault policy (HCL) that rotating the configured targets needs."""
    types = handler_types()
    lines: dict[str, None] = {}
    for target in typed(settings).response.targets:
        lines |= dict.fromkeys(stanzas(types[target.kind].permissions, target, settings))
    return "\n".join(lines) + "\n"
