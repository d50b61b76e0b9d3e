"""One child process that dies with its parent: started, watched, stopped by pid."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from daemon.demo.error import PartFailedError

_PR_SET_PDEATHSIG: Final = 1
_LOG_TAIL_BYTES: Final = 2000


@dataclass(frozen=True, slots=True)
class Owner:
    """The uid and gid that a child runs as."""

    uid: int
    gid: int


def _preparation(parent: int, death_signal: int, owner: Owner | None) -> Callable[[], None]:
    """Return what the child does between fork and exec.

    The order matters: Linux forgets the parent-death signal when credentials change (prctl(2)).
    """
    libc = ctypes.CDLL(None, use_errno=True)

    def prepare() -> None:
        if owner is not None:
            os.setgroups([])
            os.setgid(owner.gid)
            os.setuid(owner.uid)
        libc.prctl(_PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return prepare


@dataclass(slots=True)
class Child:
    """A child process with its log. Start it from a thread that lives on: Linux ends it with that thread.

    `death_signal` is what the child gets when its parent is gone; `stop_signal` asks it to stop.
    """

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] | None = None
    folder: Path | None = None
    owner: Owner | None = None
    death_signal: int = signal.SIGKILL
    stop_signal: int = signal.SIGTERM
    new_session: bool = True
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        """The pid of the running child. Raises PartFailedError when it does not run."""
        if self._process is None:
            raise PartFailedError(f"{self.name} does not run")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the child runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the child. Raises PartFailedError when the program cannot be executed."""
        with self.log.open("ab") as log:
            try:
                self._process = subprocess.Popen(
                    list(self.command),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=dict(self.environment) if self.environment is not None else None,
                    cwd=self.folder,
                    start_new_session=self.new_session,
                    preexec_fn=_preparation(os.getpid(), self.death_signal, self.owner),
                )
            except (OSError, subprocess.SubprocessError) as error:
                raise PartFailedError(f"{self.name} cannot be started: {error}") from error

    def wait_until(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Wait until `ready()`. Raises PartFailedError when the child ends or `timeout_s` passes first."""
        give_up = time.monotonic() + timeout_s
        while not ready():
            if not self.running:
                raise PartFailedError(f"{self.name} ended while starting: {self.log_tail()}")
            if time.monotonic() > give_up:
                raise PartFailedError(f"{self.name} is not ready after {timeout_s:g} s: {self.log_tail()}")
            time.sleep(0.01)

    def stop(self, timeout_s: float = 10.0) -> None:
        """Ask the child to stop, kill it after `timeout_s`. Does nothing when it does not run."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(self.stop_signal)
            try:
                process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()
        self._process = None

    def kill(self) -> None:
        """End the child at once (SIGKILL) and wait for it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def log_tail(self) -> str:
        """Return the end of the log, for an error text."""
        try:
            data = self.log.read_bytes()[-_LOG_TAIL_BYTES:]
        except OSError as error:
            return f"no log ({error.strerror})"
        return data.decode("utf-8", "replace").strip() or "its log is empty"
