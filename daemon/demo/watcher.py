"""Looks at the database and the thief while the breach runs, and tells the board what changes."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final

from connectors.store.database import Database
from connectors.store.error import StoreError
from daemon.demo.board import Board
from daemon.demo.thief import Thief
from daemon.demo.watching import ANALYTICS_KEY, Action, Incident, Seen, look

SESSION_STAGE: Final = 8
"""The stage that no log shows: the database itself ends it."""
_POLL_S: Final = 0.15
_EMPTY: Final = Seen((), (), (), frozenset())


@dataclass(slots=True)
class Watcher:
    """`markers` are stage number -> how the ids of its events begin; the play adds them as it goes.

    `played_at` and `found_at` are stage number -> seconds, UTC.
    """

    database: Database
    board: Board
    thief: Thief
    markers: dict[int, str] = field(default_factory=dict)
    seen: Seen = _EMPTY
    played_at: dict[int, float] = field(default_factory=dict)
    found_at: dict[int, float] = field(default_factory=dict)
    session_open: bool = False
    session_ended_at: float | None = None
    _told: set[str] = field(default_factory=set)

    async def run(self, pause_s: float = _POLL_S) -> None:
        """Look until cancelled; a database that is busy is looked at again."""
        while True:
            await self.once()
            await asyncio.sleep(pause_s)

    async def once(self) -> None:
        """Look once."""
        try:
            self.seen = await asyncio.to_thread(look, self.database)
        except StoreError:
            return
        self._stages()
        for incident in self.seen.incidents:
            self._incident(incident)
        for action in self.seen.actions:
            self._action(action)
        await self._session()

    def unfound(self) -> list[int]:
        """Return the stages that were played and stand in no incident yet."""
        return sorted(set(self.markers) - set(self.found_at))

    def _stages(self) -> None:
        for number in self.unfound():
            finding = self.seen.finding_of(self.markers[number])
            if finding is not None:
                self._found(number, finding.received_at, f"{finding.level}: {finding.title}")

    def _incident(self, incident: Incident) -> None:
        self._say(incident.id, f"incident #{incident.number} {incident.level}: {incident.title}")
        if incident.contained_at is not None:
            self._say(f"{incident.id}/contained", f"incident #{incident.number} contained")

    def _action(self, action: Action) -> None:
        kind = "drill" if action.drill else "rotation"
        text = f"{kind} of {action.target_key.rpartition('/')[2]}: {action.state}"
        if action.state == "proposed" and action.needed:
            text += f", waits for {action.needed} approvals ({action.given} given)"
        self._say(f"{action.id}/{action.state}", text)
        if action.proof is not None:
            self._say(f"{action.id}/proof", f"{kind} proven: grade {action.proof.get('grade') or 'none'}")

    async def _session(self) -> None:
        if not self.session_open or self.session_ended_at is not None:
            return
        if not await asyncio.to_thread(self.thief.session_lives):
            self.session_ended_at = time.time()
            self._found(SESSION_STAGE, self.session_ended_at, "the server ended the thief's session")

    def _found(self, number: int, at: float, text: str) -> None:
        self.found_at[number] = at
        self.board.found(number, f"+{at - self.played_at[number]:.1f} s  {text}")

    def _say(self, key: str, text: str) -> None:
        if key not in self._told:
            self._told.add(key)
            self.board.fact(text)


def proof_of_rotation(seen: Seen) -> Action | None:
    """Return the rotation of `analytics` once it is proven."""
    action = seen.action_on(ANALYTICS_KEY)
    return action if action is not None and action.proof is not None else None
