"""Which notifiers there are: every file of this room that says NOTIFIER. The listing is the catalogue."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any, Protocol, cast

import connectors.notify
from config.errors import ConfigurationError, Problem
from config.settings import Settings
from detectors.event import Fields


class ClosableNotifier(Protocol):
    """A notifier (`playbooks.ports.Notifier`) that holds connections."""

    name: str

    def wants(self, level: str) -> bool:
        """Return whether an incident of this level goes to this notifier."""
        ...

    def send(self, notification_id: str, message: Fields) -> None:
        """Deliver one message. Raises NotDeliveredError."""
        ...

    def close(self) -> None:
        """Give the connections back."""
        ...


class NotifierType(Protocol):
    """A notifier's class."""

    kind: str

    def __call__(self, settings: Any) -> ClosableNotifier:
        """Make one of its settings' section."""
        ...


def notifier_types() -> dict[str, NotifierType]:
    """Return kind -> class, in the order of file names."""
    found: dict[str, NotifierType] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(connectors.notify.__path__)):
        notifier = getattr(importlib.import_module(f"connectors.notify.{module}"), "NOTIFIER", None)
        if notifier is not None:
            found[notifier.kind] = cast(NotifierType, notifier)
    return found


def notifiers(settings: Settings) -> dict[str, ClosableNotifier]:
    """Return name -> notifier. Raises ConfigurationError for a name used twice or a missing URL."""
    types = notifier_types()
    made: dict[str, ClosableNotifier] = {}
    problems: list[Problem] = []
    for index, section in enumerate(settings.notify):
        place = f"notifier {section.name}"
        if section.name in made:
            problems.append(Problem(place, f"notify.{index}.name", "is used twice; names must differ"))
        elif not section.url.given():
            problems.append(Problem(place, f"notify.{index}.url", "is required; give value or file"))
        else:
            made[section.name] = types[section.kind](section)
    if problems:
        raise ConfigurationError(problems)
    return made
