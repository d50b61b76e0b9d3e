"""A Faust without its compiled streams is refused, because it would lose records in silence."""

import os
import subprocess
import sys


def test_correlate_refuses_a_faust_without_compiled_streams(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "daemon", "run", "correlate"],
        env={**os.environ, "NO_CYTHON": "1", "DAVYLAMP_OPERATION__HEALTH_PORTS": "{correlate: 0}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "has no compiled streams here" in done.stderr
