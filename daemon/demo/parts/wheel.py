"""Where the programs lie that come inside wheels."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

from daemon.demo.error import PartMissingError


def program(part: str, distribution: str, package: str, relative: str, folder: Path) -> Path:
    """Return the executable `relative` inside `package`, copied to `folder` if it may not run where it lies.

    Raises PartMissingError when the package is not installed or has no such program (another platform).
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise PartMissingError(part, distribution, "not installed")
    path = Path(next(iter(spec.submodule_search_locations))) / relative
    if not path.is_file():
        raise PartMissingError(part, distribution, "no program for this platform")
    if os.access(path, os.X_OK):
        return path
    copy = folder / path.name
    shutil.copyfile(path, copy)
    copy.chmod(0o755)
    return copy
