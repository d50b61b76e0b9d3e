"""A Dockerfile's instructions, and the build stage's steps run in a folder that stands for its root."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_STEP_S: Final = 900.0


class StepFailedError(Exception):
    """A RUN instruction did not end with 0."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: its name, and its words with continued lines joined."""

    name: str
    words: str


def instructions(text: str) -> list[list[Instruction]]:
    """Return the instructions by stage; what stands before the first FROM is stage 0."""
    stages: list[list[Instruction]] = [[]]
    for instruction in _read(iter(text.splitlines())):
        if instruction.name == "FROM":
            stages.append([])
        stages[-1].append(instruction)
    return stages


def _read(lines: Iterator[str]) -> Iterator[Instruction]:
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        whole = line
        while whole.endswith("\\"):
            whole = whole[:-1] + next(lines)
        name, _, words = whole.partition(" ")
        yield Instruction(name, " ".join(words.split()))


def run_steps(stage: list[Instruction], context: Path, root: Path, python: str) -> None:
    """Run the COPY and RUN instructions of `stage` with `/opt` and `/src` below `root`.

    `python` is the interpreter that stands for the base image's.
    pip may use this machine's cache of downloads. Raises StepFailedError with what the step said.
    """
    work = root / "src"
    work.mkdir(parents=True)
    (root / "opt").mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(Path.home()), "LANG": "C.UTF-8"}
    for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CONFIG_FILE", "PIP_INDEX_URL", "PIP_CERT"):
        environment |= {variable: os.environ[variable]} if variable in os.environ else {}
    for instruction in stage:
        if instruction.name == "ENV":
            environment |= dict(word.split("=", 1) for word in instruction.words.split())
            environment.pop("PIP_NO_CACHE_DIR", None)
        elif instruction.name == "COPY":
            _copy(instruction, context, work)
        elif instruction.name == "RUN":
            command = instruction.words.replace("/opt/", f"{root}/opt/")
            command = command.replace("python -m venv", f"{python} -m venv")
            done = subprocess.run(
                ["/bin/sh", "-c", command],
                cwd=work,
                env=environment,
                capture_output=True,
                text=True,
                timeout=_STEP_S,
                check=False,
            )
            if done.returncode:
                raise StepFailedError(f"{command[:200]}: {(done.stdout + done.stderr)[-2000:]}")


def _copy(instruction: Instruction, context: Path, work: Path) -> None:
    *sources, target = [word for word in instruction.words.split() if not word.startswith("--")]
    for source in sources:
        if (context / source).is_dir():
            shutil.copytree(context / source, work / target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(context / source, work / target / source)
