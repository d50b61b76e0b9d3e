"""Java: finding a JDK by its major version, jars by Maven, our few classes by javac."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from parts.part import PartMissingError

QUICK_START: Final = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""Flags of a server that lives for one test run: half the CPU to readiness, less peak speed."""
_JAVA_HOMES: Final = Path("/usr/lib/jvm")
_FETCH_S: Final = 900.0


def java_home(major: int) -> Path:
    """Return the home of a JDK of that major version. Raises PartMissingError naming the way out.

    Looked for in `JAVA_HOME_MAJOR`, `JAVA_HOME`, the `java` on the path and the system's JDK folder.
    """
    for home in _candidates(major):
        if _major(home) == major and (home / "bin" / "javac").exists():
            return home
    raise PartMissingError(
        f"JDK {major} is not on this machine: install one, or set JAVA_HOME_{major} to its folder"
    )


def fetch_jars(pom: Path, into: Path) -> None:
    """Copy the run-time jars of `pom` to `into`. Raises PartMissingError with Maven's last words."""
    program = shutil.which("mvn")
    if program is None:
        raise PartMissingError("Maven is not on this machine: install it (Debian: maven)")
    goal = ("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={into}")
    _run(
        [program, "-q", "-B", "-f", str(pom), *goal], {**os.environ, "JAVA_HOME": str(java_home(17))}, "Maven"
    )


def compile_classes(home: Path, sources: Sequence[Path], class_path: str, into: Path) -> None:
    """Compile our few classes with the JDK at `home`. Raises PartMissingError with javac's words."""
    into.mkdir(parents=True, exist_ok=True)
    command = [str(home / "bin" / "javac"), "-nowarn", "-cp", class_path, "-d", str(into), *map(str, sources)]
    _run(command, dict(os.environ), "javac")


def _run(command: list[str], environment: dict[str, str], name: str) -> None:
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_FETCH_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise PartMissingError(f"{name} did not end within {_FETCH_S:g} s") from error
    if done.returncode:
        raise PartMissingError(f"{name} failed: {(done.stdout + done.stderr)[-2000:]}")


def _candidates(major: int) -> Iterator[Path]:
    for variable in (f"JAVA_HOME_{major}", "JAVA_HOME"):
        if given := os.environ.get(variable):
            yield Path(given)
    if found := shutil.which("java"):
        yield Path(found).resolve().parent.parent
    if _JAVA_HOMES.is_dir():
        yield from sorted(_JAVA_HOMES.iterdir())


def _major(home: Path) -> int | None:
    release = home / "release"
    if not release.exists():
        return None
    found = re.search(r'^JAVA_VERSION="(\d+)', release.read_text(encoding="utf-8"), re.MULTILINE)
    return int(found[1]) if found else None
