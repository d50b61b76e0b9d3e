"""A bundle against a public key, offline: signature, every file's SHA-256, every chained row.

A bundle comes from anywhere: nothing in it is believed before the signature holds, nothing is unpacked to
disk, and no more is read than the manifest says.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from connectors.evidence.bundle import MANIFEST, SCHEMA, SIGNATURE
from connectors.evidence.chains import PROBLEMS_SHOWN, Chains
from connectors.evidence.error import EvidenceError
from connectors.evidence.signature import fingerprint, signs

MAX_MANIFEST: Final = 1 << 20
_PIECE: Final = 1 << 16
_NO_BUNDLE: Final = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError),
    *(KeyError, TypeError, ValueError, AttributeError),
)


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found: no `problems` when the bundle is whole, no `manifest` when it is not signed."""

    problems: tuple[str, ...]
    manifest: Mapping[str, Any]
    files: int
    rows: int


def verify(path: Path, key: Ed25519PublicKey) -> Verified:
    """Check a bundle. Raises EvidenceError when the file is no bundle at all."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _verified(archive, key)
    except OSError as error:
        raise EvidenceError(f"{path.name}: {error.strerror or 'cannot be read'}") from error
    except _NO_BUNDLE:
        raise EvidenceError(f"{path.name}: no bundle, or a broken one") from None


def _verified(archive: zipfile.ZipFile, key: Ed25519PublicKey) -> Verified:
    raw, signature = _small(archive, MANIFEST), _small(archive, SIGNATURE)
    if not signs(key, signature, raw):
        return Verified((f"the signature is not of the key {fingerprint(key)}",), {}, 0, 0)
    manifest = cast("dict[str, Any]", json.loads(raw))
    if manifest.get("schema") != SCHEMA:
        return Verified((f"the manifest is not of {SCHEMA}",), manifest, 0, 0)
    listed = {str(file["name"]): file for file in manifest["files"]}
    names = Counter(archive.namelist())
    problems = [f"{name}: not in the manifest" for name in sorted({*names} - {*listed, MANIFEST, SIGNATURE})]
    problems += [f"{name}: {count} times in the bundle" for name, count in names.items() if count > 1]
    chains = Chains()
    for name, file in listed.items():
        problems += _file(archive, name, file, chains) if name in names else [f"{name}: missing"]
    problems += chains.problems(manifest)
    return Verified(tuple(problems[:PROBLEMS_SHOWN]), manifest, len(listed), chains.rows)


def _small(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as file:
        data = file.read(MAX_MANIFEST + 1)
    if len(data) > MAX_MANIFEST:
        raise EvidenceError(f"{name} is over {MAX_MANIFEST} bytes")
    return data


def _file(archive: zipfile.ZipFile, name: str, listed: Mapping[str, Any], chains: Chains) -> list[str]:
    """Read one file once, at most one byte more than its manifest says."""
    digest, left = hashlib.sha256(), int(listed["bytes"]) + 1
    kept = b""
    with archive.open(name) as file:
        while left and (piece := file.read(min(_PIECE, left))):
            digest.update(piece)
            left -= len(piece)
            *lines, kept = (kept + piece).split(b"\n")
            chains.lines(name, lines)
    same = left == 1 and digest.hexdigest() == listed["sha256"]
    return [] if same else [f"{name}: not what was signed"]
