"""The playbooks that the settings ask for: shipped ones and the operator's files, read from disk."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from config.errors import ConfigurationError, Problem
from config.folder import files_in
from playbooks.library import PlaybookText, builtin


def playbook_texts(paths: Iterable[Path], *, shipped: bool = True) -> list[PlaybookText]:
    """Return shipped playbooks, then those of `paths` (files, or folders of `.md`).

    Raises ConfigurationError that names every file that cannot be read.
    """
    found = builtin() if shipped else []
    problems: list[Problem] = []
    for path in paths:
        for file in files_in(path, (".md",)):
            try:
                found.append(PlaybookText(str(file), file.read_text(encoding="utf-8")))
            except (OSError, UnicodeDecodeError) as error:
                problems.append(Problem(str(file), "", f"cannot be read: {error}"))
    if problems:
        raise ConfigurationError(problems)
    return found
