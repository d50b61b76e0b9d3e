"""Evidence: the key that signs what is exported (docs/evidence.md)."""

from __future__ import annotations

from config.secret import Secret
from config.section import Section


class Evidence(Section):
    """`signing_key`: Ed25519 private key in PEM. Only the commands that export read it, no role gets it."""

    signing_key: Secret = Secret()
