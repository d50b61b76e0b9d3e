"""Where rules come from: folders, files, archives, checkouts. What cannot be read is a refusal by name.

A folder is walked without following links to folders; names that begin with a point are left out (`.git`,
`.github`, the second copy in a ConfigMap volume). Nothing is fetched.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from config.errors import ConfigurationError, Problem
from daemon.rule_archive import SUFFIXES as ARCHIVES
from daemon.rule_archive import archive_documents, decoded
from detectors.sigma.document import Refusal, RuleDocument
from detectors.wording import plain

SUFFIXES: Final = (".yml", ".yaml")
MAX_FILES: Final = 50_000
MAX_BYTES: Final = 4 << 20
"""A file of 1 MiB characters, each of four bytes; `detectors.sigma.reading` counts the characters."""
_ADDRESS: Final = "is an address; rules are not fetched: git clone it, or save it, and name the folder"
_NOTHING: Final = "cannot be read: there is no such file or folder"
_NAME_CHARACTERS: Final = 1_000
# Path("https://host/x") has one slash left.
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/|[\w.-]+@[\w.-]+:")


class FileState(NamedTuple):
    """What changes when a file's content does."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int


class RuleFile(NamedTuple):
    """A file that was found; its state is None when it is none that can be read. Paths sort as text."""

    path: str
    state: FileState | None


def rule_files(paths: Iterable[Path]) -> list[RuleFile]:
    """Return all rule files and archives, those of a folder sorted by path, each once.

    Raises ConfigurationError for a path that is a URL or does not exist, and for too many files.
    """
    found: list[RuleFile] = []
    problems: list[Problem] = []
    for path in paths:
        if not path.exists():
            problems.append(Problem(plain(str(path)), "", _ADDRESS if _URL.match(str(path)) else _NOTHING))
        elif path.is_dir():
            found.extend(sorted(_walk(path), key=lambda file: file.path))
        else:
            found.append(RuleFile(str(path), state_of(path)))
        if len(found) > MAX_FILES:
            problems.append(Problem(plain(str(path)), "", f"holds more than {MAX_FILES} rule files"))
            break
    if problems:
        raise ConfigurationError(problems)
    return list({file.path: file for file in found}.values())


def _walk(top: Path) -> Iterator[RuleFile]:
    waiting = [str(top)]
    count = 0
    while waiting and count <= MAX_FILES:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif entry.name.endswith(SUFFIXES):
                        count += 1
                        yield RuleFile(entry.path, state_of(entry))
        except OSError as error:
            yield RuleFile(str(error.filename or top), None)


def state_of(path: Path | os.DirEntry[str]) -> FileState | None:
    """Return the state of a regular file; None for anything else, and for what cannot be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return FileState(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def read_file(file: RuleFile) -> list[RuleDocument | Refusal]:
    """Return the documents of a file or an archive, and a refusal for each that cannot be read."""
    name = shown(file.path)
    if file.path.lower().endswith(ARCHIVES):
        return list(archive_documents(Path(file.path), name))
    if file.state is None:
        return [unread(name, "is no file that can be read", "Take it away, or let Davylamp read it")]
    if file.state.size > MAX_BYTES:
        return [unread(name, "the file is larger than 1 MiB", "Split it")]
    try:
        descriptor = os.open(file.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as opened:
            data = opened.read(MAX_BYTES + 1)
    except OSError as error:
        return [unread(name, f"cannot be read: {error.strerror}", "Let Davylamp read it")]
    return [decoded(name, data)]


def unread(name: str, reason: str, way_out: str) -> Refusal:
    """Return the refusal of a whole file."""
    return Refusal(name, None, None, reason, way_out)


def shown(path: str) -> str:
    """Return a path for people; one with characters that cannot be printed is not shown as it is."""
    return path if path.isprintable() else plain(path, _NAME_CHARACTERS)
