"""The Dockerfile: two stages, everything locked by hash, one user without rights, no invented pin."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from crds.chart import CHART, ROOT
from crds.dockerfile import instructions

TEXT = (ROOT / "Dockerfile").read_text()
HEAD, BUILD, IMAGE = instructions(TEXT)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def words(stage, name):
    return [instruction.words for instruction in stage if instruction.name == name]


def test_hadolint_finds_nothing():
    binary = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or "hadolint"
    done = subprocess.run([binary, str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_both_stages_have_the_same_interpreter():
    (build,), (image,) = words(BUILD, "FROM"), words(IMAGE, "FROM")
    assert build.removesuffix(" AS build") == image == "${PYTHON_IMAGE}:${PYTHON_TAG}"


def test_a_digest_is_given_by_who_can_verify_it_and_never_written_down_here():
    assert "sha256:..." in TEXT
    assert re.findall(r"@sha256:[0-9a-f]{64}", TEXT) == []


def test_every_installed_package_is_locked_by_hash():
    for command in words(BUILD, "RUN"):
        for install in re.findall(r"pip install ([^&]*)", command):
            local = "--no-index" in install and "--no-deps" in install
            assert local or "--require-hashes --only-binary :all:" in install, install
    lines = re.findall(r"'([a-z-]+==[^']*)'", TEXT)
    assert lines and all("--hash=sha256:" in line for line in lines)
    assert "--no-build-isolation" in TEXT, "or pip would fetch a build backend of its own"


def test_the_build_backend_is_the_projects():
    (required,) = PROJECT["build-system"]["requires"]
    assert f"'{required} --hash" in TEXT


def test_the_image_has_no_shell_form_and_no_root():
    assert words(IMAGE, "USER") == ["65532:65532"]
    (entry,), (command,) = words(IMAGE, "ENTRYPOINT"), words(IMAGE, "CMD")
    assert entry.startswith("[") and command.startswith("[")
    assert words(IMAGE, "RUN") == []
    assert words(IMAGE, "HEALTHCHECK") == [] and "checkov:skip=CKV_DOCKER_2" in TEXT


def test_every_package_of_the_wheel_is_copied_and_let_through_to_the_build():
    copied = {word for line in words(BUILD, "COPY") for word in line.split()[:-1]}
    wanted = {*PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"], "pyproject.toml"}
    assert wanted <= copied
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored and {f"!{name}" for name in copied} <= set(ignored)


def test_the_version_is_one_everywhere():
    version = PROJECT["project"]["version"]
    chart = (CHART / "Chart.yaml").read_text()
    assert f'appVersion: "{version}"' in chart
    assert f"VERSION={version}" in words(IMAGE, "ARG")


def test_the_user_of_the_image_is_the_user_of_the_chart():
    values = (CHART / "values.yaml").read_text()
    assert "runAsUser: 65532" in values and "runAsGroup: 65532" in values


def test_the_locks_of_the_checkers_are_hashed_and_name_no_index():
    text = (ROOT / "requirements-chart.lock").read_text()
    pins = re.findall(r"^[a-z0-9_.\[\],-]+==", text, re.M)
    assert pins and text.count("--hash=sha256:") >= len(pins)
    assert "://" not in text and "--index" not in text
