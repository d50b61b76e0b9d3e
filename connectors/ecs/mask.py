"""What stands where a secret stood."""

from __future__ import annotations

from typing import Final

MASK: Final = "[redacted]"
