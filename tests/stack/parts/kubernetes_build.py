"""The Kubernetes API server and etcd as one static program, built from their Go modules into the cache."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from parts.cache import cached
from parts.part import PartMissingError

SOURCES: Final = Path(__file__).resolve().parent.parent / "kubernetes"
KUBERNETES_VERSION: Final = "1.35.4"
ETCD_VERSION: Final = "3.6.5"
PROGRAM: Final = "stack-kubernetes"
_STAMPED: Final = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
_BUILD_S: Final = 3600.0
_MADE_FROM: Final = ("go.mod", "go.sum", "main.go")


def kubernetes_program() -> Path:
    """Return the program; the first build takes minutes. Raises PartMissingError with the way out."""
    return cached("kubernetes", [SOURCES / name for name in _MADE_FROM], _build) / PROGRAM


def _build(into: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise PartMissingError("Go 1.25 or newer is not on this machine: install it from go.dev/dl")
    command = [go, "build", "-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags", _linking(), "-o"]
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
    try:
        done = subprocess.run(
            [*command, str(into / PROGRAM), "."],
            cwd=SOURCES,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_BUILD_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PartMissingError(f"go build did not end within {_BUILD_S:g} s") from error
    if done.returncode:
        raise PartMissingError(f"go build failed: {done.stderr[-2000:]}")


def _linking() -> str:
    """Stamp the version, which a plain `go build` leaves at v0.0.0: charts ask the server for it."""
    major, minor, _ = KUBERNETES_VERSION.split(".")
    stamps = {"gitVersion": f"v{KUBERNETES_VERSION}", "gitMajor": major, "gitMinor": minor}
    given = (f"-X {package}.{key}={value}" for package in _STAMPED for key, value in stamps.items())
    return " ".join(("-s", "-w", *given))
