"""The image's build stage, run step by step without a container engine; the result runs as uid 65532."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from crds.chart import ROOT
from crds.dockerfile import instructions, run_steps

UID = 65532
STAGES = instructions((ROOT / "Dockerfile").read_text())


def interpreter() -> str:
    """Return a Python of the image's version that every user may run; ours may lie in a private folder."""
    for path in (
        Path(sys.executable).resolve(),
        Path("/usr/local/bin/python3.11"),
        Path("/usr/bin/python3.11"),
    ):
        folders = path.resolve().parents
        if path.exists() and all(folder.stat().st_mode & 0o001 for folder in folders):
            return str(path)
    pytest.skip("no Python 3.11 here that another user may run: install one (Debian: python3-venv)")


@pytest.fixture(scope="session")
def image():
    """A folder with /opt of the build stage: readable by everybody, as in an image."""
    folder = Path(tempfile.mkdtemp(prefix="davylamp-image-"))
    folder.chmod(0o755)
    try:
        run_steps(STAGES[1], ROOT, folder, interpreter())
        yield folder
    finally:
        shutil.rmtree(folder)


def run(image: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the entry point as the image does: its user, its environment, nothing of this machine's."""
    environment = {"PATH": f"{image}/opt/davylamp/bin:/usr/bin:/bin", "HOME": "/nonexistent"}
    for instruction in STAGES[2]:
        if instruction.name == "ENV":
            given = dict(word.split("=", 1) for word in instruction.words.split())
            environment |= {name: value for name, value in given.items() if name != "PATH"}
    user = {"user": UID, "group": UID, "extra_groups": []} if os.getuid() == 0 else {}
    return subprocess.run(
        [str(image / "opt/davylamp/bin/davylamp"), *words],
        cwd="/tmp",
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **user,
    )


def listing(image: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in (image / "opt").rglob("*")}


@pytest.mark.claim(
    "the Dockerfile's build steps make a program that runs as uid 65532 and writes nothing", on=("image",)
)
def test_the_steps_make_a_program_that_runs_as_the_images_user(image, tmp_path):
    before = listing(image)
    version = run(image, "--version")
    assert (version.returncode, version.stderr) == (0, "")
    assert version.stdout.startswith("davylamp, version ")
    shown = run(image, "config", "show")
    assert shown.returncode == 0, shown.stderr
    assert "state_dir: /var/lib/davylamp" in shown.stdout
    assert run(image, "rules", "list").returncode == 0
    assert listing(image) == before


@pytest.mark.claim(
    "the image holds no pip and no build backend, and every module of ours is compiled", on=("image",)
)
def test_the_image_holds_what_runs_and_nothing_that_installs(image):
    site = next((image / "opt/davylamp/lib").glob("python3.*/site-packages"))
    for absent in ("pip", "setuptools", "hatchling", "pytest", "helm_python"):
        assert not (site / absent).exists(), absent
    for room in ("config", "detectors", "playbooks", "connectors", "daemon"):
        sources = [path for path in (site / room).rglob("*.py") if "migrations" not in path.parts]
        assert sources
        for path in sources:
            compiled = list((path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"))
            assert len(compiled) == 1, path
            assert compiled[0].read_bytes()[4:8] == b"\x01\x00\x00\x00", "checked by nobody at run time"


@pytest.mark.claim(
    "a folder of the attacker's in the working directory shadows no module of the image", on=("image",)
)
def test_the_working_directory_shadows_nothing(image, tmp_path):
    folder = Path(tempfile.mkdtemp(prefix="davylamp-shadow-"))
    folder.chmod(0o755)
    (folder / "yaml.py").write_text("raise SystemExit('shadowed')\n")
    program = image / "opt/davylamp/bin/python"
    try:
        done = subprocess.run(
            [str(program), "-m", "daemon", "--version"],
            cwd=folder,
            env={"PYTHONSAFEPATH": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        shutil.rmtree(folder)
    assert done.returncode == 0, done.stdout + done.stderr
