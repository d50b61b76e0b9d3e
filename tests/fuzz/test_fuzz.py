"""Every harness runs: its seeds hold, a short search from them finds no breach (for longer: `fuzz.py`)."""

from __future__ import annotations

import importlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NAMES = sorted(path.stem.removeprefix("fuzz_") for path in HERE.glob("fuzz_*.py"))
SECONDS = 3


@pytest.mark.parametrize("name", NAMES)
def test_every_seed_holds(name, monkeypatch):
    monkeypatch.syspath_prepend(HERE)
    harness = importlib.import_module(f"fuzz_{name}")
    values = list(harness.values())
    assert len(values) > 20
    for value in values:
        harness.target(value)


@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris has no wheel for this platform"
)
@pytest.mark.parametrize("name", NAMES)
def test_a_short_search_finds_no_breach(name, tmp_path):
    # libFuzzer bounds the greatest memory so far, which a process inherits from the one that execs it: ours,
    # a worker that has run many tests. The shell forks, and its child begins with the shell's.
    alone = ["sh", "-c", '"$@"; exit $?', "sh"]
    command = [sys.executable, HERE / "fuzz.py", name, f"--seconds={SECONDS}", f"--crashes={tmp_path}"]
    done = subprocess.run(
        [*alone, *command], capture_output=True, text=True, timeout=120, cwd=HERE.parents[1]
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert not list(tmp_path.iterdir())
    tried = re.search(r"Done (\d+) runs", done.stderr)
    assert tried and int(tried[1]) > 100
