"""`davylamp run`: the roles as child processes, each with only its own secrets, restarted when they die."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import orjson
import structlog

from config.changes import changed_settings
from config.dump import revealed
from config.errors import ConfigurationError
from config.scope import scoped
from config.settings import Role, Settings

_FIRST_DELAY_S = 0.2
_LAST_DELAY_S = 5.0
_STEADY_S = 10.0
_USAGE = 2


@dataclass(slots=True)
class Supervisor:
    """Starts, restarts and ends the roles; tells them to reload.

    `reread` gives the settings as they stand in the file now.
    """

    settings: Settings
    roles: Sequence[Role]
    reread: Callable[[], Settings] | None = None
    children: dict[Role, asyncio.subprocess.Process] = field(default_factory=dict)
    exit_code: int = 0

    async def run(self) -> int:
        """Run until SIGTERM or SIGINT, or until a role refuses its configuration. Returns the exit code."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGHUP, self.reload)
        keepers = [asyncio.create_task(self._keep(role, stop)) for role in self.roles]
        await stop.wait()
        await self._end_all()
        await asyncio.gather(*keepers)
        return self.exit_code

    def reload(self) -> None:
        """Let every role read its rules and playbooks again; name settings that need a restart."""
        log = structlog.get_logger("davylamp.supervisor")
        alive = {role: child for role, child in self.children.items() if child.returncode is None}
        for child in alive.values():
            child.send_signal(signal.SIGHUP)
        log.info("reload asked for", children=sorted(alive))
        try:
            changed = changed_settings(self.settings, self.reread()) if self.reread is not None else []
        except ConfigurationError as error:
            for problem in error.problems:
                log.error("configuration refused, the one in force stays", problem=str(problem))
            return
        if changed:
            log.warning("settings changed that need a restart", settings=changed)

    async def _keep(self, role: Role, stop: asyncio.Event) -> None:
        log = structlog.get_logger("davylamp.supervisor")
        delay = _FIRST_DELAY_S
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            born = loop.time()
            child = self.children[role] = await self._spawn(role)
            code = await child.wait()
            if stop.is_set():
                return
            if code == _USAGE:
                self.exit_code = _USAGE
                stop.set()
                return
            delay = _FIRST_DELAY_S if loop.time() - born > _STEADY_S else min(delay * 2, _LAST_DELAY_S)
            log.warning("role ended, starting it again", child=role, code=code, delay_s=delay)
            try:
                await asyncio.wait_for(stop.wait(), delay)
            except TimeoutError:
                continue

    async def _spawn(self, role: Role) -> asyncio.subprocess.Process:
        """Start a role; its settings go through a private pipe, and no DAVYLAMP_ variable is inherited."""
        reader, writer = os.pipe()
        environment = {k: v for k, v in os.environ.items() if not k.startswith("DAVYLAMP_")}
        try:
            child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "daemon",
                "run",
                role,
                "--settings-fd",
                str(reader),
                "--parent",
                str(os.getpid()),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(reader,),
                env=environment,
                start_new_session=True,
                preexec_fn=_not_by_hangup,
            )
        finally:
            os.close(reader)
        data = orjson.dumps(revealed(scoped(self.settings, role)))
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(data)
        return child

    async def _end_all(self) -> None:
        alive = [c for c in self.children.values() if c.returncode is None]
        for child in alive:
            child.terminate()
        waiting = [asyncio.create_task(child.wait()) for child in alive]
        if waiting:
            await asyncio.wait(waiting, timeout=self.settings.operation.stop_timeout_s)
        for child in alive:
            if child.returncode is None:
                child.kill()
        await asyncio.gather(*waiting)


def _not_by_hangup() -> None:
    """In the child before it is Python: a reload that is asked for while it starts must not end it."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
