"""Certificates for a server on loopback, made by the openssl command line: an authority and one leaf."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from parts.part import PartMissingError

_NAMES: Final = "subjectAltName=DNS:localhost,IP:127.0.0.1"
_DAYS: Final = "2"


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files: the authority's certificate, and the server's key, certificate and chain in one."""

    ca_file: Path
    keystore: Path

    def issue(self, name: str) -> tuple[Path, Path]:
        """Make a client's certificate with the common name `name`; return the files of it and of its key."""
        folder = self.ca_file.parent
        key, request, leaf = (folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
        _openssl(
            *("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}"),
            *("-keyout", str(key), "-out", str(request)),
        )
        _openssl(
            *("x509", "-req", "-in", str(request), "-CA", str(self.ca_file)),
            *("-CAkey", str(folder / "ca.key"), "-CAcreateserial", "-days", _DAYS, "-out", str(leaf)),
        )
        return leaf, key


def make_certificates(folder: Path) -> Certificates:
    """Make an authority and a leaf for localhost and 127.0.0.1, valid two days. Raises PartMissingError."""
    folder.mkdir(parents=True, exist_ok=True)
    ca, ca_key = folder / "ca.pem", folder / "ca.key"
    _openssl(
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", _DAYS, "-subj", "/CN=davylamp-stack-ca"),
        *("-keyout", str(ca_key), "-out", str(ca)),
    )
    key, request, leaf = folder / "server.key", folder / "server.csr", folder / "server.pem"
    _openssl(
        *("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"),
        *("-keyout", str(key), "-out", str(request)),
    )
    names = folder / "names.cnf"
    names.write_text(_NAMES + "\n", encoding="utf-8")
    _openssl(
        *("x509", "-req", "-in", str(request), "-CA", str(ca), "-CAkey", str(ca_key), "-CAcreateserial"),
        *("-days", _DAYS, "-extfile", str(names), "-out", str(leaf)),
    )
    keystore = folder / "keystore.pem"
    keystore.touch(mode=0o600)
    keystore.write_bytes(b"".join(path.read_bytes() for path in (key, leaf, ca)))
    return Certificates(ca, keystore)


def _openssl(*arguments: str) -> None:
    program = shutil.which("openssl")
    if program is None:
        raise PartMissingError("openssl is not on this machine: install it (Debian: openssl)")
    done = subprocess.run((program, *arguments), capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise PartMissingError(f"openssl {arguments[0]} failed: {done.stderr[-500:]}")
