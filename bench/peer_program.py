"""Detection engines as programs: how each is called, what it found, and its CPU time without its start.

`peers(built, runners)` knows where they lie. `built`: `rsigma/bin/rsigma`, `rust-target/release/NAME_scan`
(rsigma as a library, sigma-rust, sigmars), the virtual environments `venv` and `venv-sqlite`; `runners`: the
`NAME_scan.py`, small programs around the Python engines. All but rsigma's own program are called as
`PROGRAM RULES INPUT OUTPUT SOURCE [routed]` and write `line TAB rule id` for each match, lines from 0; SOURCE
is `cloudtrail` or `k8s`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

KINDS = {"cloudtrail": "cloudtrail", "k8s": "kubernetes_audit"}
"""The short name of an input, and its source kind."""
LOG_SOURCES = {"cloudtrail": "product=aws,service=cloudtrail", "k8s": "product=kubernetes,service=audit"}
EVENT_IDS = {"cloudtrail": "eventID", "k8s": "auditID"}
FOUND = (0, 1)
"""Exit codes of a run that ended: `davylamp scan` says 1 where it found something."""
Pairs = set[tuple[int, str]]
"""Line number from 0, and rule id."""


class Job(NamedTuple):
    """What a program is to do. `ids`: event id to line number, for the one that names no lines."""

    rules: Path
    events: Path
    output: Path
    source: str
    ids: Mapping[str, int]


@dataclass(frozen=True)
class Program:
    """One engine. `limit`: events that it gets at most, because it is slow; `file`: what must be there."""

    name: str
    file: Path
    command: Callable[[Job], list[str]]
    pairs: Callable[[Job], Pairs]
    limit: int = 10**9
    to_stdout: bool = False
    for_pairs: tuple[str, ...] = ()


class Spent(NamedTuple):
    """CPU seconds of one run, user and system."""

    cpu_s: float


class PeerFailedError(RuntimeError):
    """A program did not end as it should; the message is the end of what it said."""


def peers(built: Path, runners: Path) -> list[Program]:
    """Return every peer that is known, installed or not."""
    rust, python = built / "rust-target/release", built / "venv/bin/python"
    sqlite = built / "venv-sqlite/bin/python"
    return [
        _rsigma(built / "rsigma/bin/rsigma"),
        _tabular("rsigma library", rust / "rsigma_lib_scan"),
        _tabular("sigma-rust, routed", rust / "sigma_rust_scan", "routed"),
        _tabular("sigmars", rust / "sigmars_scan", limit=10_000),
        _tabular("pySigma-sqlite", sqlite, script=runners / "pysigma_sqlite_scan.py", limit=20_000),
        _tabular("panther-core, routed", python, "routed", script=runners / "panther_scan.py", limit=2_000),
        _tabular("sigma-rule-matcher", python, script=runners / "sigma_rule_matcher_scan.py", limit=1_000),
        _tabular("azuma", python, script=runners / "azuma_scan.py", limit=1_000),
    ]


def davylamp() -> Program:
    """Return `davylamp scan` of this environment."""
    file = Path(sys.executable).parent / "davylamp"

    def command(job: Job) -> list[str]:
        kind = KINDS[job.source]
        return [
            str(file),
            "scan",
            str(job.events),
            "--source",
            kind,
            "--rules",
            str(job.rules),
            "--no-builtin",
            "--json",
        ]

    return Program("davylamp scan", file, command, _davylamp_pairs, to_stdout=True)


def _rsigma(file: Path) -> Program:
    def command(job: Job) -> list[str]:
        routed = ["--logsource-routing", "--event-logsource", LOG_SOURCES[job.source]]
        given = ["-r", str(job.rules), "-e", f"@{job.events}", "--input-format", "json", "--no-stats"]
        return [str(file), "engine", "eval", *given, *routed]

    return Program(
        "rsigma program", file, command, _rsigma_pairs, to_stdout=True, for_pairs=("--include-event",)
    )


def _tabular(name: str, file: Path, *more: str, script: Path | None = None, limit: int = 10**9) -> Program:
    program = [str(file)] if script is None else [str(file), str(script)]

    def command(job: Job) -> list[str]:
        return [*program, str(job.rules), str(job.events), str(job.output), job.source, *more]

    needed = file if script is None or not file.exists() else script
    return Program(name, needed, command, _tabular_pairs, limit)


def run(program: Program, job: Job, *, for_pairs: bool = False) -> Spent:
    """Run it to its end and return what it spent. Raises PeerFailedError."""
    command = [*program.command(job), *(program.for_pairs if for_pairs else ())]
    errors = job.output.with_suffix(".stderr")
    job.output.unlink(missing_ok=True)
    told = job.output if program.to_stdout else job.output.with_suffix(".stdout")
    with told.open("wb") as out, errors.open("wb") as err:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    said = errors.read_text(errors="replace")[-300:].strip()
    if child.returncode not in FOUND or (child.returncode and "Error" in said):
        raise PeerFailedError(f"{program.name}: exit {child.returncode}: {said}")
    return Spent(usage.ru_utime + usage.ru_stime)


def _lines(path: Path) -> Iterable[str]:
    return path.read_text().splitlines() if path.exists() else ()


def _tabular_pairs(job: Job) -> Pairs:
    rows = (line.split("\t") for line in _lines(job.output))
    return {(int(number), rule) for number, rule in rows}


def _rsigma_pairs(job: Job) -> Pairs:
    rows = map(json.loads, _lines(job.output))
    return {(job.ids[str(row["event"][EVENT_IDS[job.source]])], str(row["rule_id"])) for row in rows}


def _davylamp_pairs(job: Job) -> Pairs:
    rows = map(json.loads, _lines(job.output))
    return {(place["line"] - 1, str(row["rule_id"])) for row in rows for place in row["locations"]}
