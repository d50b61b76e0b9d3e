"""The house: imports one way, no foreign package with our names, no vague file names, short files."""

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("config", "connectors", "daemon", "detectors", "playbooks")


def test_imports_run_one_way_and_the_pure_rooms_stay_pure():
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_other_distribution_claims_our_package_names():
    owners = importlib.metadata.packages_distributions()
    for room in ROOMS:
        assert set(owners.get(room, ["davylamp"])) <= {"davylamp"}, room


def test_tests_hold_no_package_that_would_shadow_a_room():
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_no_file_has_a_vague_name():
    vague = re.compile(r"(^|/)(utils?|helpers?|common|misc|manager)(\.py|/)")
    names = [str(path.relative_to(ROOT)) for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    assert [name for name in names if vague.search(name)] == []


def test_no_file_is_longer_than_four_hundred_lines():
    long = {
        str(path.relative_to(ROOT)): lines
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert long == {}
