"""The order of the play: parts, daemon, an ordinary week, a drill, the breach, what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from aiokafka.errors import KafkaError

from connectors.store.database import Database
from connectors.store.error import StoreError
from daemon.demo.accounts import conservation
from daemon.demo.attack import Attack
from daemon.demo.audit_shipper import AuditShipper
from daemon.demo.board import Board, StageLine
from daemon.demo.breach import Breach
from daemon.demo.drill import ask_for_drill
from daemon.demo.error import SceneError, StoryError
from daemon.demo.offsets import DETECT_GROUP, read_by, respond_is_at_end, until
from daemon.demo.outcome import judge
from daemon.demo.pages import address, one_time_link
from daemon.demo.pipe import Pipe
from daemon.demo.result import Result
from daemon.demo.scene import Scene
from daemon.demo.second_pass import play_again
from daemon.demo.thief import Thief
from daemon.demo.traffic.mixture import trickle, week
from daemon.demo.traffic.record import seeded
from daemon.demo.vault_scene import ENTERED
from daemon.demo.watcher import Watcher, proof_of_rotation
from daemon.demo.watching import ANALYTICS_KEY, CUSTOMERS_KEY

_READ_ALL_S: Final = 120.0
_DRILL_S: Final = 90.0
_PROOF_S: Final = 60.0
_FOUND_S: Final = 60.0
_STAY_POLL_S: Final = 1.0
_LINK_S: Final = 10.0
_TRICKLE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Options:
    """How to play."""

    seed: int = 7
    speed: float = 1.0
    passes: int = 1


class Play:
    """One play on one scene. `run()` returns what came of it; it raises DemoError when the stage breaks."""

    def __init__(self, scene: Scene, board: Board, options: Options) -> None:
        self._scene = scene
        self._board = board
        self._options = options
        self._database = Database(scene.files.database_url, role="read")
        board.stages = [StageLine(stage.number, stage.title, stage.shows) for stage in scene.stages]
        self.links: dict[str, str] = {}
        self._place = 0
        self._watcher: Watcher | None = None

    async def run(self) -> Result:
        """Play everything. The daemon still runs when this returns.

        Raises DemoError, and config.errors.ConfigurationError for playbooks and targets that are wrong.
        """
        try:
            return await self._run()
        except (StoreError, KafkaError) as error:
            raise StoryError(f"{type(error).__name__}: {error}") from error

    async def _run(self) -> Result:
        await self._set_up()
        pipe = Pipe(self._scene.settings.kafka)
        await pipe.start()
        try:
            async with self._scene.feeding(pipe):
                return await self._play(pipe)
        finally:
            await pipe.stop()

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    async def stay(self) -> None:
        """Keep the vault's audit log flowing and tell what happens, until cancelled. Raises DemoError."""
        pipe = Pipe(self._scene.settings.kafka)
        await pipe.start()
        watcher = self._watcher
        shipper = AuditShipper(self._scene.vault.audit_file, pipe, self._place)
        try:
            await asyncio.gather(shipper.run(), *([watcher.run(_STAY_POLL_S)] if watcher else []))
        finally:
            await pipe.stop()

    async def _set_up(self) -> None:
        board, scene = self._board, self._scene
        board.begin("broker, database, vault")
        begun = time.monotonic()
        scene.start_parts(lambda _name: None)
        await scene.prepare()
        board.end(f"up in {time.monotonic() - begun:.1f} s")
        scene.daemon.start()

    async def _play(self, pipe: Pipe) -> Result:
        await self._ordinary_week(pipe)
        shipper = AuditShipper(self._scene.vault.audit_file, pipe)
        watcher = self._new_watcher()
        try:
            result = await self._watched(pipe, shipper, watcher)
        except* Exception as errors:
            raise next(_leaves(errors)) from None
        finally:
            watcher.thief.leave()
            self._place = shipper.position
        await self._approvals()
        if self._options.passes > 1:
            await self._again(pipe, result)
        return result

    async def _watched(self, pipe: Pipe, shipper: AuditShipper, watcher: Watcher) -> Result:
        """Play drill and breach while shipper and watcher run; if one of them fails, all stops."""
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(shipper.run()), group.create_task(watcher.run())]
            await self._drill(watcher)
            result = await self._breach(pipe, shipper, watcher)
            for task in beside:
                task.cancel()
        return result

    def _new_watcher(self) -> Watcher:
        scene = self._scene
        workload = scene.platform.workload(ENTERED)
        stolen = scene.vault_scene.stolen
        thief = Thief(scene.vault, scene.postgres, workload, workload.pods[0], stolen)
        watcher = self._watcher = Watcher(self._database, self._board, thief)
        return watcher

    async def _ordinary_week(self, pipe: Pipe) -> None:
        board, scene = self._board, self._scene
        board.begin("an ordinary week on four topics")
        identities = scene.vault_scene.identities
        records = await asyncio.to_thread(week, scene.platform, identities, self._options.seed, time.time())
        await pipe.send(records)
        board.end(f"{len(records):,} records")
        board.begin("davylamp run: five roles")
        begun = time.monotonic()
        await asyncio.to_thread(scene.daemon.wait_ready)
        board.end(f"ready in {time.monotonic() - begun:.1f} s more")
        board.address = await asyncio.to_thread(address, scene.daemon, scene.settings)
        board.begin("detect reads the week")
        if not await until(lambda: self._read_all(pipe), _READ_ALL_S):
            board.fail("not all read in time")
            return
        await until(lambda: respond_is_at_end(scene.settings, self._database), _READ_ALL_S)
        board.end("all read, all quiet")

    async def _read_all(self, pipe: Pipe) -> bool:
        total = sum(pipe.sent.values())
        done = await read_by(self._scene.settings, DETECT_GROUP, pipe.sent)
        self._board.progress = (done, total)
        return done >= total

    async def _drill(self, watcher: Watcher) -> None:
        board, settings = self._board, self._scene.settings
        board.begin("a drill of the target analytics")
        await asyncio.to_thread(ask_for_drill, settings, "analytics", time.time())

        async def proven() -> bool:
            drill = watcher.seen.drill_of(ANALYTICS_KEY)
            return drill is not None and drill.proof is not None

        if await until(proven, _DRILL_S):
            drill = watcher.seen.drill_of(ANALYTICS_KEY)
            grade = drill.proof.get("grade") if drill and drill.proof else None
            board.end(f"proven, grade {grade}")
        else:
            board.fail("not proven in time")

    async def _breach(self, pipe: Pipe, shipper: AuditShipper, watcher: Watcher) -> Result:
        scene, board = self._scene, self._board
        board.begin("the breach")
        attack = Attack(scene.platform, seeded("attack", self._options.seed, time.time_ns()))
        everyday = trickle(
            scene.platform, scene.vault_scene.identities, self._options.seed, time.time(), _TRICKLE_S
        )
        breach = Breach(scene.stages, attack, watcher.thief, pipe, shipper, watcher, board)
        await breach.play(everyday, self._options.speed)

        async def proven() -> bool:
            return proof_of_rotation(watcher.seen) is not None

        async def all_found() -> bool:
            proposal = watcher.seen.action_on(CUSTOMERS_KEY)
            return not watcher.unfound() and proposal is not None and proposal.state == "proposed"

        await until(proven, _PROOF_S)
        await until(all_found, _FOUND_S)
        board.end("over")
        await shipper.ship()
        await watcher.once()
        await until(lambda: self._read_all(pipe), _FOUND_S)
        await until(lambda: respond_is_at_end(scene.settings, self._database), _FOUND_S)
        await watcher.once()
        async with shipper.held(), scene.held():
            counted = await conservation(scene.daemon, pipe.sent)
        again = await asyncio.to_thread(watcher.thief.try_again)
        await until(self._paged, _FOUND_S)
        board.fact(f"the pager rang {self._scene.pager.rings} times")
        return judge(watcher, breach, again, counted, len(self._scene.pager.pages))

    async def _paged(self) -> bool:
        return bool(self._scene.pager.pages)

    async def _approvals(self) -> None:
        if not self._board.address:
            return
        for name, token in self._scene.files.approvers.items():

            async def given(name: str = name, token: str = token) -> bool:
                with contextlib.suppress(SceneError):
                    self.links[name] = await asyncio.to_thread(one_time_link, self._board.address, token)
                return name in self.links

            await until(given, _LINK_S)

    async def _again(self, pipe: Pipe, result: Result) -> None:
        board, scene = self._board, self._scene
        board.begin("second pass: every group reads everything again")
        new = await play_again(scene.settings, scene.daemon, self._database, pipe.sent)
        result.second_pass = new
        result.facts["second pass caught up"] = new is not None
        result.facts["second pass found nothing new"] = new is not None and not any(new.values())
        board.end("did not catch up" if new is None else ", ".join(f"{v} new {k}" for k, v in new.items()))


def _leaves(errors: BaseExceptionGroup[Exception]) -> Iterator[Exception]:
    for error in errors.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
