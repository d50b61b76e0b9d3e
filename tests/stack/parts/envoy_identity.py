"""Workload identities as Istio's certificates carry them, and those certificates, made by openssl."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from parts.part import PartMissingError

_DAYS: Final = "2"
_CURVE: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


class Workload(NamedTuple):
    """Who a proxy stands for: a service account of a namespace."""

    namespace: str
    account: str

    @property
    def spiffe(self) -> str:
        """The URI of its certificate."""
        return f"spiffe://cluster.local/ns/{self.namespace}/sa/{self.account}"

    @property
    def slug(self) -> str:
        """A name for files and metadata."""
        return f"{self.namespace}.{self.account}"


class MeshAuthority:
    """The mesh's own certificate authority: `ca`, and a key and certificate for each workload."""

    def __init__(self, folder: Path) -> None:
        """Keep all files in `folder`; `issue` makes them."""
        self._folder = folder
        self.ca = folder / "mesh-ca.pem"
        self._ca_key = folder / "mesh-ca.key"

    def issue(self, workloads: Iterable[Workload]) -> None:
        """Make the authority and one leaf a workload, valid two days. Raises PartMissingError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        files = ("-keyout", str(self._ca_key), "-out", str(self.ca))
        _openssl("req", "-x509", *_CURVE, "-days", _DAYS, "-subj", "/O=davylamp-stack-mesh", *files)
        for workload in workloads:
            self._leaf(workload)

    def certificate(self, workload: Workload) -> Path:
        """Where the workload's certificate is."""
        return self._folder / f"{workload.slug}.pem"

    def key(self, workload: Workload) -> Path:
        """Where the workload's key is."""
        return self._folder / f"{workload.slug}.key"

    def _leaf(self, workload: Workload) -> None:
        request, names = self._folder / "leaf.csr", self._folder / "leaf.cnf"
        key = ("-keyout", str(self.key(workload)), "-out", str(request))
        _openssl("req", *_CURVE, "-subj", "/O=workload", *key)
        names.write_text(f"subjectAltName=critical,URI:{workload.spiffe}\n", encoding="utf-8")
        signed = ("-CA", str(self.ca), "-CAkey", str(self._ca_key), "-CAcreateserial", "-days", _DAYS)
        files = ("-in", str(request), "-extfile", str(names), "-out", str(self.certificate(workload)))
        _openssl("x509", "-req", *signed, *files)


def _openssl(*arguments: str) -> None:
    program = shutil.which("openssl")
    if program is None:
        raise PartMissingError("openssl is not on this machine: install it (Debian: openssl)")
    done = subprocess.run((program, *arguments), capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise PartMissingError(f"openssl {arguments[0]} failed: {done.stderr[-500:]}")
