"""The watch on folders of rules and playbooks: looks at their files, reloads when they came to rest.

A ConfigMap volume changes by one rename of its `..data` link, so the files below it have other inodes at
once; looking at every file through its links sees that as well as an edit in place.
"""

from __future__ import annotations

import asyncio

import structlog

from daemon.reloading import Reloading

_REST_S = 0.5


async def watch(reloading: Reloading, every_s: float) -> None:
    """Look every `every_s` seconds until cancelled; 0: never.

    Files that changed are looked at again half a second later (sooner if `every_s` is less): a copy of many
    files is taken in when it is done, not in the middle. What was refused is tried again when it changes.
    """
    while every_s > 0:
        await asyncio.sleep(every_s)
        try:
            if await _changed(reloading, min(_REST_S, every_s)):
                await reloading.reload("watch")
        except Exception as error:  # a watch that ended would be a silent one
            structlog.get_logger("davylamp.reload").exception("watch failed", error=type(error).__name__)


async def _changed(reloading: Reloading, rest_s: float) -> bool:
    looks = await _looks(reloading)
    if not _differ(reloading, looks):
        return False
    while True:
        await asyncio.sleep(rest_s)
        again = await _looks(reloading)
        if again == looks:
            return _differ(reloading, again)
        looks = again


def _differ(reloading: Reloading, looks: dict[str, object]) -> bool:
    return any(reloading.standings[name].seen != look for name, look in looks.items())


async def _looks(reloading: Reloading) -> dict[str, object]:
    return {
        name: await asyncio.to_thread(standing.part.look)
        for name, standing in list(reloading.standings.items())
    }
