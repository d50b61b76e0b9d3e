"""docs/tested-on.md says what the tests claim."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMAND = ("-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", "tests")


def test_the_list_of_claims_is_current(tmp_path: Path) -> None:
    now = tmp_path / "tested-on.md"
    done = subprocess.run(
        [sys.executable, *COMMAND, "--tested-on", str(now)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    kept = (ROOT / "docs" / "tested-on.md").read_text(encoding="utf-8")
    assert kept == now.read_text(encoding="utf-8"), "run: make tested-on"
