"""Fetch and build the programs of every part into the cache: `make stack-programs`; nothing is started."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from parts.part import Part, PartMissingError
from parts.tested_on import STACK, part_class


def missing() -> list[str]:
    """Fetch every part; return why parts cannot be had here."""
    reasons: list[str] = []
    with TemporaryDirectory() as folder:
        for name in STACK:
            part: Part = part_class(name)(Path(folder) / name)
            try:
                part.fetch()
            except PartMissingError as error:
                reasons.append(f"{name}: {error}")
    return reasons


if __name__ == "__main__":
    sys.exit("\n".join(missing()) or None)
