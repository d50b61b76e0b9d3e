"""The demo as a user starts it, watched from outside: its lines, its children, what it leaves."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

DEADLINE_S = 240.0


class DemoRun:
    """One `davylamp demo` process. `lines` is its standard error so far; `seen` every child it ever had."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.folder = folder
        self.lines: list[str] = []
        self.seen: dict[int, psutil.Process] = {}
        command = [
            sys.executable,
            "-m",
            "daemon",
            "demo",
            "--json",
            "--no-browser",
            "--keep",
            str(folder),
            *words,
        ]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._out: list[str] = []
        self._threads = [
            threading.Thread(target=self._read, args=(self.process.stdout, self._out), daemon=True),
            threading.Thread(target=self._read, args=(self.process.stderr, self.lines), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def _read(stream: Any, into: list[str]) -> None:
        for line in stream:
            into.append(line)

    def look(self) -> list[psutil.Process]:
        """Return the living children of all generations and remember them."""
        try:
            children = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            children = []
        self.seen.update({child.pid: child for child in children})
        return children

    def wait_for(self, ready: Callable[[], Any], what: str) -> Any:
        """Wait until `ready()` is true and return it; fails with the demo's last lines."""
        give_up = time.monotonic() + DEADLINE_S
        while time.monotonic() < give_up:
            self.look()
            if value := ready():
                return value
            if self.process.poll() is not None and not ready():
                break
            time.sleep(0.1)
        raise AssertionError(f"{what} did not come; last lines: {''.join(self.lines[-20:])}")

    def line(self, beginning: str) -> str:
        """Wait for a line of standard error that begins so."""
        return self.wait_for(
            lambda: next((x for x in self.lines if x.startswith(beginning)), None), beginning
        )

    def document(self) -> dict[str, Any]:
        """Wait for the one JSON document on standard output."""
        return json.loads(self.wait_for(lambda: self._out[0] if self._out else None, "the JSON document"))

    def output(self) -> list[str]:
        """Return the lines of standard output so far."""
        return list(self._out)

    def role(self, name: str) -> psutil.Process:
        """Return the process of a role."""
        for child in self.look():
            try:
                words = child.cmdline()
            except psutil.Error:
                continue
            if words[1:5] == ["-m", "daemon", "run", name]:
                return child
        raise AssertionError(f"role {name} does not run")

    def finish(self) -> int:
        """Wait until the demo ends by itself and return its exit code."""
        self.wait_for(lambda: self.process.poll() is not None, "the end")
        for thread in self._threads:
            thread.join(5)
        return self.process.returncode

    def interrupt(self) -> int:
        """Ctrl-C; return the exit code."""
        self.look()
        self.process.send_signal(2)
        return self.process.wait(30)

    def left_over(self) -> list[str]:
        """Return what still lives of all children ever seen."""
        psutil.wait_procs(list(self.seen.values()), timeout=5)
        return [
            str(child) for child in self.seen.values() if child.is_running() and child.status() != "zombie"
        ]

    def end(self) -> None:
        """End it whatever its state."""
        if self.process.poll() is None:
            self.look()
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
        for child in self.seen.values():
            if child.is_running():
                child.kill()
        for thread in self._threads:
            thread.join(5)
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Callable[..., DemoRun]]:
    """Return a function that starts a demo in a folder of its own; every one is ended after the test."""
    runs: list[DemoRun] = []

    def start(*words: str) -> DemoRun:
        runs.append(DemoRun(tmp_path / f"demo{len(runs)}", *words))
        return runs[-1]

    yield start
    for run in runs:
        run.end()
