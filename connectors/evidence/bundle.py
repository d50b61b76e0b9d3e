"""One zip: the files, `manifest.json` with the SHA-256 of each, and `manifest.sig` over its bytes."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connectors.evidence.error import EvidenceError
from connectors.evidence.signature import fingerprint

SCHEMA: Final = "davylamp.evidence/1"
MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"
_STAMP: Final = (1980, 1, 1, 0, 0, 0)


def write(
    path: Path,
    files: Mapping[str, Iterable[bytes]],
    about: Mapping[str, object],
    key: Ed25519PrivateKey,
) -> str:
    """Write a signed bundle that only its owner reads; return the fingerprint of the public key.

    `files`: name -> its content in pieces; `about` goes into the manifest as it is. The file appears under
    its name when it is whole. Raises EvidenceError when it is there already or cannot be written.
    """
    if path.exists():
        raise EvidenceError(f"{path.name} is there already: evidence is never overwritten")
    part = path.with_name(path.name + ".part")
    try:
        opened = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise EvidenceError(f"{part.name} is there: another export is under way, or was broken off") from None
    except OSError as error:
        raise EvidenceError(f"{path.name}: {error.strerror}") from error
    try:
        with os.fdopen(opened, "w+b") as raw, zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
            print_of_key = _fill(archive, files, about, key)
        part.rename(path)
    except OSError as error:
        raise EvidenceError(f"{path.name}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    return print_of_key


def _fill(
    archive: zipfile.ZipFile,
    files: Mapping[str, Iterable[bytes]],
    about: Mapping[str, object],
    key: Ed25519PrivateKey,
) -> str:
    listed = [_put(archive, name, pieces) for name, pieces in files.items()]
    print_of_key = fingerprint(key.public_key())
    head = {"schema": SCHEMA, **about, "public_key_sha256": print_of_key, "files": listed}
    manifest = json.dumps(head, indent=1, sort_keys=True, allow_nan=False).encode("ascii")
    _put(archive, MANIFEST, [manifest])
    _put(archive, SIGNATURE, [key.sign(manifest)])
    return print_of_key


def _put(archive: zipfile.ZipFile, name: str, pieces: Iterable[bytes]) -> dict[str, Any]:
    """Write one file; return its line of the manifest. Times and rights are the same in every bundle."""
    entry = zipfile.ZipInfo(name, _STAMP)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o600 << 16
    digest, size = hashlib.sha256(), 0
    with archive.open(entry, "w", force_zip64=True) as file:
        for piece in pieces:
            file.write(piece)
            digest.update(piece)
            size += len(piece)
    return {"name": name, "bytes": size, "sha256": digest.hexdigest()}
