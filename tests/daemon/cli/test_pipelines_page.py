"""docs/pipelines.md: its commands run in their order and print what the page shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "pipelines.md"
BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def steps(page: str) -> list[tuple[str, list[str]]]:
    """Return each command block with the lines that the page shows after it."""
    found: list[tuple[str, list[str]]] = []
    for kind, text in BLOCK.findall(page):
        if kind == "sh":
            found.append((text, []))
        else:
            found[-1][1].extend(text.splitlines())
    return found


def test_every_step_of_the_page_works_and_prints_what_it_shows(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "davylamp"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m daemon "$@"\n')
    program.chmod(0o755)
    folder = tmp_path / "folder"
    folder.mkdir()
    environment = os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}"}
    taken = steps(PAGE.read_text(encoding="utf-8"))
    assert len(taken) == 4 and sum(len(shown) for _, shown in taken) == 8
    for text, shown in taken:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{text}\n{done.stderr}"
        missing = [line for line in shown if line.strip() not in done.stdout]
        assert not missing, f"{text}\nprints\n{done.stdout}\nand not {missing}"
