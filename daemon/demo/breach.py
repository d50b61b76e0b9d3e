"""Plays the stages in order, each at its real moment, with the everyday traffic going on between them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from daemon.demo.attack import Attack, Stage
from daemon.demo.audit_shipper import AuditShipper
from daemon.demo.board import Board
from daemon.demo.pipe import Pipe
from daemon.demo.thief import Thief
from daemon.demo.traffic.record import Record
from daemon.demo.watcher import SESSION_STAGE, Watcher

GAP_S: Final = 0.3
_READ: Final = 7


class Breach:
    """One playing of `stages`. `first_event` is the time (seconds, UTC) of the first attack event."""

    def __init__(
        self,
        stages: Sequence[Stage],
        attack: Attack,
        thief: Thief,
        pipe: Pipe,
        shipper: AuditShipper,
        watcher: Watcher,
        board: Board,
    ) -> None:
        self._stages = stages
        self._attack = attack
        self._thief = thief
        self._pipe = pipe
        self._shipper = shipper
        self._watcher = watcher
        self._board = board
        self.first_event: float | None = None
        self.second_marker = ""

    async def play(self, everyday: Sequence[Record], speed: float) -> None:
        """Play all stages; `everyday` records go out when their time has come. Raises StoryError.

        Who has read a password logs in at once: a moment later it may be dead.
        """
        waiting = list(everyday)
        for stage in self._stages:
            now = time.time()
            due = [record for record in waiting if record.time <= now]
            waiting = waiting[len(due) :]
            await self._pipe.send(due)
            await self._do(stage, now)
            self._board.played(stage.number)
            if stage.number != _READ:
                await asyncio.sleep(GAP_S / speed)

    async def _do(self, stage: Stage, now: float) -> None:
        if self.first_event is None:
            self.first_event = now
        self._watcher.played_at[stage.number] = now
        if stage.deed is not None:
            deed = await asyncio.to_thread(stage.deed, self._attack, now)
            if deed.record is not None:
                await self._pipe.send([deed.record])
            self._watcher.markers[stage.number] = deed.marker
        elif stage.number == _READ:
            self._watcher.markers[stage.number] = await asyncio.to_thread(self._thief.read_password)
        elif stage.number == SESSION_STAGE:
            rows = await asyncio.to_thread(self._thief.open_session)
            self._watcher.session_open = True
            self._board.fact(f"the thief reads {rows:,} rows of analytics and stays logged in")
            self.second_marker = await asyncio.to_thread(self._thief.read_more)
            await self._shipper.ship()
