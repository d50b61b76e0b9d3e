"""The operator's files in a folder, also in one that a cluster mounts from a ConfigMap."""

from __future__ import annotations

from pathlib import Path


def files_in(path: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Return the files with these suffixes below `path`, sorted; `path` itself when it is no folder.

    Names that begin with a point are left out: a ConfigMap volume holds every file twice, once below
    `..DATE` and once as a link to it.
    """
    if not path.is_dir():
        return [path]
    return sorted(
        file
        for file in path.rglob("*")
        if file.suffix in suffixes and not any(part.startswith(".") for part in file.relative_to(path).parts)
    )
