"""`scan --jobs N`: files read by several processes, with the findings and the order of one process.

Each process reads whole files. Findings of single events come in the order of the files; matches of
correlations and contacts of baselines are gathered here, in that order too, and judged once at the end, so
that a burst over two files is one burst.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Final, NamedTuple

from connectors.sources.files import FileUnreadableError
from daemon.garbage import settle
from daemon.scan_tally import Tally
from daemon.scanning import FileReader, Gathered, Located, Reading

AHEAD: Final = 4
"""Files a process may be ahead of the one whose turn it is: what is held in memory has a bound."""

_LOST: Final = "a process of the scan ended before its file was done; with --jobs 1 the fault shows itself"


class WorkerLostError(RuntimeError):
    """A process of the scan ended before its file was done."""


class Answer(NamedTuple):
    """What one file gave; `fault` is why its reading ended early, if it did."""

    findings: list[Located]
    gathered: Gathered
    fault: str | None


def scan_in_processes(
    paths: Sequence[Path],
    reading: Reading,
    *,
    jobs: int,
    learning_s: float,
    tally: Tally,
    done: Callable[[Path], None],
) -> Iterator[Located]:
    """Yield what `daemon.scanning.scan` yields, in the same order; `done` is called after each file.

    Raises FileUnreadableError at the turn of a file that cannot be opened, and WorkerLostError.
    """
    gathered = Gathered(tally)
    with ExitStack() as stack:
        workers = [_start(stack, reading) for _ in range(min(jobs, len(paths)))]
        for path, answer in zip(paths, _answers(paths, workers), strict=True):
            yield from answer.findings
            gathered.add(answer.gathered)
            if answer.fault is not None:
                raise FileUnreadableError(answer.fault)
            done(path)
    yield from gathered.correlations(reading.ruleset)
    yield from gathered.baselines(learning_s, reading.period)


def _answers(paths: Sequence[Path], workers: Sequence[Connection]) -> Iterator[Answer]:
    """Yield one answer a file, in their order, whichever comes first."""
    ready: dict[int, Answer] = {}
    busy: dict[Connection, int] = {}
    idle = list(workers)
    given = 0
    for turn in range(len(paths)):
        while turn not in ready:
            while idle and given < min(len(paths), turn + AHEAD * len(workers)):
                worker = idle.pop()
                _ask(worker, paths[given])
                busy[worker] = given
                given += 1
            for worker in wait(list(busy)):
                if isinstance(worker, Connection):
                    ready[busy.pop(worker)] = _received(worker)
                    idle.append(worker)
        yield ready.pop(turn)


def _ask(worker: Connection, path: Path) -> None:
    try:
        worker.send(path)
    except ConnectionError as error:
        raise WorkerLostError(_LOST) from error


def _received(worker: Connection) -> Answer:
    try:
        return worker.recv()
    except (EOFError, ConnectionError) as error:
        raise WorkerLostError(_LOST) from error


def _start(stack: ExitStack, reading: Reading) -> Connection:
    """Start a process that ends with the stack. Started anew, not forked: threads may run here."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, reading), daemon=True)
    process.start()
    theirs.close()
    stack.callback(process.join)
    stack.callback(process.terminate)
    stack.callback(ours.close)
    return ours


def _work(orders: Connection, reading: Reading) -> None:
    """Read the files that are asked for until the asking side is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settle()
    reader = FileReader(reading)
    try:
        while True:
            path: Path = orders.recv()
            orders.send(_read(reader, path))
    except (EOFError, ConnectionError):
        return


def _read(reader: FileReader, path: Path) -> Answer:
    gathered = Gathered(Tally())
    findings: list[Located] = []
    try:
        for located in reader.read(path, gathered):
            findings.append(located)
    except FileUnreadableError as error:
        return Answer(findings, gathered, str(error))
    return Answer(findings, gathered, None)
