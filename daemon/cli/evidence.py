"""What `incidents export|verify` and `audit export|verify --bundle` share: keys, bundles, what is printed."""

from __future__ import annotations

from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from config.secret import SecretUnreadableError
from config.settings import Settings
from connectors.evidence.error import EvidenceError
from connectors.evidence.signature import public_key, signing_key
from connectors.evidence.verifying import Verified, verify
from daemon.cli.database import NOT_DONE, USAGE, FailedError, print_json
from daemon.cli.listing import print_line


def key_of(settings: Settings) -> Ed25519PrivateKey:
    """Return the key that signs. Raises FailedError (2) that names the setting."""
    try:
        return signing_key(settings.evidence.signing_key.reveal())
    except (SecretUnreadableError, EvidenceError) as error:
        raise FailedError(f"settings: evidence.signing_key: {error}", USAGE) from error


def checked(bundle: Path, key: Path) -> Verified:
    """Return what is found in a bundle. Raises FailedError: 2 for the key, 3 for the bundle."""
    try:
        public = public_key(key.read_bytes())
    except OSError as error:
        raise FailedError(f"{key}: {error.strerror}", USAGE) from error
    except EvidenceError as error:
        raise FailedError(f"{key}: {error}", USAGE) from error
    try:
        return verify(bundle, public)
    except EvidenceError as error:
        raise FailedError(str(error), NOT_DONE) from error


def print_verified(found: Verified, as_json: bool) -> int:
    """Print what was found; return the exit code: 0 whole, 1 not."""
    manifest = found.manifest
    if as_json:
        about = {name: manifest.get(name) for name in ("kind", "incident_id", "site", "made_at")}
        print_json(
            {**about, "files": found.files, "rows": found.rows, "problems": list(found.problems)}
            | {name: manifest.get(name) for name in ("public_key_sha256", "audit_seq", "audit_hash")}
        )
    else:
        for problem in found.problems:
            print_line(problem)
        what = f"{manifest.get('kind')} of site {manifest.get('site')}, {manifest.get('made_at')}: "
        count = f"{found.files} files, {found.rows} chained rows"
        if found.problems:
            print_line("not whole, or not from the owner of this key")
        else:
            print_line(f"{what}{count}, all as they were signed")
    return 1 if found.problems else 0


def bundle_written(path: Path, fingerprint: str) -> None:
    """Tell where the bundle is and whose it is."""
    click.echo(f"{path}\nsigned with the key {fingerprint}")
