"""The Faust app of detect: lifecycle only; consuming is a Service of batches (``docs/architecture.md``)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import faust
from faust.app.base import BootStrategy
from mode import Service

APP_ID: Final = "davylamp-detect-app"


class _ServicesOnly(BootStrategy):
    """No Faust consumer, producer or web server: stock agents lose events when they raise (measured)."""

    enable_kafka = False
    enable_web = False


class DetectApp(faust.App):
    """A Faust app that runs its services and nothing else: no consumer thread, no data folder."""

    BootStrategy = _ServicesOnly
    work: asyncio.Task[None] | None = None

    async def on_first_start(self) -> None:
        """Make no data folder: there are no tables."""

    async def on_start(self) -> None:
        """Finish the configuration; the stock method makes a consumer with a thread and a loop of its own."""
        self.finalize()


def application(brokers: tuple[str, ...], work: Callable[[], Coroutine[Any, Any, None]]) -> DetectApp:
    """Return the app with a service that runs `work`; its task is `app.work` once the app has started."""
    app = DetectApp(
        APP_ID, broker=[f"kafka://{broker}" for broker in brokers], web_enabled=False, autodiscover=False
    )

    @app.service
    class BatchService(Service):
        """Holds the batch consumer for as long as the app runs."""

        async def on_start(self) -> None:
            """Begin the work."""
            app.work = asyncio.create_task(work(), name="detect")

        async def on_stop(self) -> None:
            """End it if it has not ended by itself."""
            if app.work is not None:
                app.work.cancel()
                await asyncio.wait([app.work])

    return app
