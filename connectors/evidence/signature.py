"""Ed25519 (RFC 8032) over a bundle's manifest; PEM keys, as `openssl genpkey -algorithm ed25519` makes."""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from connectors.evidence.error import EvidenceError


def signing_key(pem: str) -> Ed25519PrivateKey:
    """Return the private key of an unencrypted PKCS #8 PEM text. Raises EvidenceError, without the text."""
    try:
        key = load_pem_private_key(pem.encode("utf-8", "replace"), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise EvidenceError("the signing key is no unencrypted private key in PEM") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise EvidenceError("the signing key is not of Ed25519")
    return key


def public_key(pem: bytes) -> Ed25519PublicKey:
    """Return the public key of a PEM text. Raises EvidenceError."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise EvidenceError("the public key is no public key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise EvidenceError("the public key is not of Ed25519")
    return key


def fingerprint(key: Ed25519PublicKey) -> str:
    """Return the SHA-256 (hex) of the key's 32 bytes: what two people read to each other."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def signs(key: Ed25519PublicKey, signature: bytes, data: bytes) -> bool:
    """Return whether `signature` (64 bytes) over `data` was made with the other half of `key`."""
    try:
        key.verify(signature, data)
    except InvalidSignature:
        return False
    return True
