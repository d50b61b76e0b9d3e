"""What can be wrong with evidence before anybody can say whether it is true."""

from __future__ import annotations


class EvidenceError(Exception):
    """The key, or the bundle as a file, cannot be used. The text never holds a key."""
