"""Keys of the API server's world, made by openssl: for service account tokens, and for the kubelet's port."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

from parts.part import PartMissingError

_NAMES: Final = "subjectAltName=DNS:localhost,IP:127.0.0.1"
_CURVE: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def need_openssl() -> str:
    """Return the path of openssl. Raises PartMissingError with the way out."""
    program = shutil.which("openssl")
    if program is None:
        raise PartMissingError("openssl is not on this machine: install it (Debian: openssl)")
    return program


def account_keys(folder: Path) -> None:
    """Make `sa.key` and `sa.pub` in `folder`, unless they are there: tokens are signed with them."""
    key = folder / "sa.key"
    if not key.exists():
        _openssl("genrsa", "-out", str(key), "2048")
        _openssl("rsa", "-in", str(key), "-pubout", "-out", str(folder / "sa.pub"))


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 and its key in `folder`, valid two days; return both paths."""
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / "kubelet.pem", folder / "kubelet.key"
    names = ("-subj", "/O=system:nodes/CN=system:node:node-1", "-addext", _NAMES, "-days", "2")
    _openssl("req", "-x509", *_CURVE, *names, "-keyout", str(key), "-out", str(certificate))
    return certificate, key


def _openssl(*arguments: str) -> None:
    command = (need_openssl(), *arguments)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise PartMissingError(f"openssl {arguments[0]} failed: {done.stderr[-500:]}")
