"""The files that a command line names: files as they are, of a folder everything below it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click


def opened(paths: Iterable[Path]) -> list[Path]:
    """Return the files in the order given; those of a folder sorted by path, hidden ones left out.

    A path that is not there stays, so that reading it says so. Raises click.UsageError for a folder without
    files: a wrong folder must not look like a clean scan.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        below = sorted(file for file in path.rglob("*") if file.is_file() and not _hidden(file, path))
        if not below:
            raise click.UsageError(f"{path} holds no file")
        found.extend(below)
    return found


def size_of(path: Path) -> int:
    """Return the file's size in bytes, 0 when it cannot be told."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)
