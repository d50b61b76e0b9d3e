"""Rule files compiled in processes of their own: pySigma takes memory and the interpreter, neither is ours.

A process gets its files in one temporary file and answers in another, a line a rule file, in order. A file
that ends or halts its process (a fault in libyaml, no memory left) is refused by name; the others are
compiled by the next one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import IO, Final, NamedTuple

import orjson

from detectors.sigma.compiled import CompiledFile
from detectors.sigma.document import Refusal, RuleDocument
from detectors.sigma.preparation import Preparation

MOST: Final = 4
APART_FROM: Final = 200
"""Fewer files are compiled here: a process takes half a second to start."""
LONGEST_S: Final = 60.0
"""As long a process may work without an answer."""
_READY: Final = b"ready\n"
_POLL_S: Final = 0.01
# Isolated: nothing of the working directory or the environment is imported, only what this process imports.
_START: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from daemon.rule_compiler import serve; serve()"
)


class Made(NamedTuple):
    """What a file compiled to: as stored JSON, unless it has no stored form; as it is, when made here."""

    document: RuleDocument
    data: bytes | None
    file: CompiledFile | None


def compiled(documents: Sequence[RuleDocument], preparation: Preparation) -> list[Made]:
    """Return what each document compiles to, in their order. Raises nothing."""
    if len(documents) < APART_FROM or preparation.pipelines:
        return [compiled_here(document, preparation) for document in documents]
    return _apart(documents, preparation, min(MOST, os.cpu_count() or 1))


def compiled_here(document: RuleDocument, preparation: Preparation) -> Made:
    """Compile one document in this process."""
    from detectors.sigma.compiling import compile_file
    from detectors.sigma.stored import to_json
    from detectors.sigma.stored_value import UnstorableError

    file = compile_file(document, preparation)
    try:
        return Made(document, to_json(file), file)
    except UnstorableError:
        return Made(document, None, file)


def serve() -> None:
    """Compile the files on stdin, the first line holding the placeholders; what runs in a process apart."""
    first, *lines = sys.stdin.buffer.read().splitlines()
    preparation = Preparation(orjson.loads(first))
    compiled_here(RuleDocument("", ""), preparation)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    answers.write(_READY)
    for line in lines:
        path, text = orjson.loads(line)
        made = compiled_here(RuleDocument(path, text), preparation)
        answers.write((made.data or b"") + b"\n")


def _apart(documents: Sequence[RuleDocument], preparation: Preparation, processes: int) -> list[Made]:
    size = -(-len(documents) // processes)
    shares = [documents[start : start + size] for start in range(0, len(documents), size)]
    with ExitStack() as stack:
        runs = [_Run(stack, share, preparation) for share in shares]
        return [made for run in runs for made in run.results()]


class _Run:
    """One process and its share of the files."""

    def __init__(self, stack: ExitStack, documents: Sequence[RuleDocument], preparation: Preparation) -> None:
        self._stack = stack
        self._documents = documents
        self._preparation = preparation
        self._answers = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 the stack closes it
        self._process = self._started()
        if self._process is not None:
            stack.callback(_ended, self._process)

    def results(self) -> list[Made]:
        """Wait for the process and return its results; what is left of a lost one goes to the next."""
        lines = self._lines()
        if not lines or not lines[0].startswith(_READY.rstrip()):
            # No process can be had here (memory, a limit, no temporary file): the slow way is a way.
            return [compiled_here(document, self._preparation) for document in self._documents]
        made = [
            self._joined(document, line) for document, line in zip(self._documents, lines[1:], strict=False)
        ]
        if len(made) == len(self._documents):
            return made
        lost, *rest = self._documents[len(made) :]
        reason = "reading it ends the process that reads it, or takes it more than a minute"
        refusal = Refusal(lost.path, None, None, reason, "Take the file away, and tell us")
        made.append(Made(lost, None, CompiledFile((), (refusal,))))
        return made + (_Run(self._stack, rest, self._preparation).results() if rest else [])

    def _started(self) -> subprocess.Popen[bytes] | None:
        try:
            return subprocess.Popen(
                [sys.executable, "-I", "-X", "utf8", "-c", _START, orjson.dumps(sys.path).decode()],
                stdin=self._work(),
                stdout=self._answers,
                stderr=subprocess.DEVNULL,
                env={name: value for name, value in os.environ.items() if not name.startswith("DAVYLAMP_")},
            )
        except OSError:
            return None

    def _work(self) -> IO[bytes]:
        """Return a file with the placeholders and a line for each rule file."""
        file = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 the stack closes it
        values = {name: list(given) for name, given in self._preparation.placeholders.items()}
        file.write(orjson.dumps(values) + b"\n")
        for document in self._documents:
            file.write(orjson.dumps([document.path, document.text]) + b"\n")
        file.seek(0)
        return file

    def _lines(self) -> list[bytes]:
        """Return the whole lines that came until the process ended, or until none came for too long."""
        if self._process is None:
            return []
        size, since = 0, time.monotonic()
        while self._process.poll() is None:
            time.sleep(_POLL_S)
            now = os.fstat(self._answers.fileno()).st_size
            if now != size:
                size, since = now, time.monotonic()
            elif time.monotonic() - since > LONGEST_S:
                _ended(self._process)
        self._answers.seek(0)
        return [line for line in self._answers.readlines() if line.endswith(b"\n")]

    def _joined(self, document: RuleDocument, line: bytes) -> Made:
        data = line.rstrip(b"\n")
        return Made(document, data, None) if data else compiled_here(document, self._preparation)


def _ended(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()
