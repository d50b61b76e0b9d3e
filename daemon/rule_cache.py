"""Compiled rule files kept on disk, so that pySigma need not run again for a text that it has seen.

One JSON file an entry, named by the SHA-256 of the rule file's text and of everything else that decides what
it compiles to: versions, the code of the engine, placeholders, pipelines. Never a pickle: an entry is data,
checked on reading (`detectors.sigma.stored`); one that is broken or forged is counted and compiled again.

Who can write the folder can change what rules mean, as who can write the rule files can, and no more than
that. So the folder must be ours alone (mode 0700, our user, no link), else it is not used.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections import Counter
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

import orjson

from detectors.sigma.compiled import CompiledFile
from detectors.sigma.document import RuleDocument
from detectors.sigma.preparation import Preparation
from detectors.sigma.stored import SCHEMA, StoredReader, shape
from detectors.sigma.stored_value import StoredError

MAX_ENTRY: Final = 64 << 20
MAX_ENTRIES: Final = 50_000
_DIGEST: Final = 64


class RuleCache:
    """One load's view of the cache. `off`: why it is not used; `counts`: hits, misses, broken, kept."""

    def __init__(self, folder: Path | None, preparation: Preparation) -> None:
        """Make the folder if need be; a folder that cannot be used is no error."""
        self.counts: Counter[str] = Counter()
        self.off = "no folder is given" if folder is None else _unusable(folder)
        self._folder = folder or Path()
        self._base = hashlib.sha256(
            orjson.dumps([SCHEMA, shape(), _made_by(), preparation.fingerprint()])
        ).digest()
        self._reader = StoredReader()

    def get(self, document: RuleDocument) -> CompiledFile | None:
        """Return what was kept for the text of `document`, as a file at its path."""
        if self.off is not None:
            return None
        key = self._key(document)
        try:
            data = _read(self._entry(key))
            if data is None:
                self.counts["misses"] += 1
                return None
            found = self._reader.read(_content(key, data), document.path)
        except (StoredError, OSError):
            self.counts["broken"] += 1
            return None
        self.counts["hits"] += 1
        return found

    def opened(self, data: bytes, document: RuleDocument) -> CompiledFile:
        """Return the compiled file of stored JSON. Raises StoredError."""
        return self._reader.read(orjson.loads(data), document.path)

    def put(self, document: RuleDocument, data: bytes) -> None:
        """Keep stored JSON for the text of `document`; a disk that does not take it is counted."""
        if self.off is not None:
            return
        key = self._key(document)
        body = b'["%s",%s]' % (key.encode(), data)
        text = b"%s\n%s" % (hashlib.sha256(body).hexdigest().encode(), body)
        try:
            _write(self._entry(key), text)
        except OSError:
            self.counts["not kept"] += 1
            return
        self.counts["kept"] += 1

    def tidy(self) -> None:
        """After a load that kept many: of more than `MAX_ENTRIES` take the oldest away."""
        if self.off is not None or self.counts["kept"] < MAX_ENTRIES // 100:
            return
        entries = [
            entry for folder in os.scandir(self._folder) if folder.is_dir() for entry in _listed(folder)
        ]
        for _, path in sorted(entries)[: max(0, len(entries) - MAX_ENTRIES)]:
            Path(path).unlink(missing_ok=True)

    def _key(self, document: RuleDocument) -> str:
        return hashlib.sha256(self._base + document.text.encode("utf-8", "surrogatepass")).hexdigest()

    def _entry(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key[2:]}.json"


def default_folder() -> Path | None:
    """Return the user's cache folder (XDG), None where there is no home."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    try:
        base = Path(given) if given.startswith("/") else Path.home() / ".cache"
    except RuntimeError:
        return None
    return base / "davylamp" / "rules"


@cache
def _made_by() -> list[str]:
    """Return the versions and the code that compile rules: another code may read the same text otherwise."""
    code = hashlib.sha256()
    for module in _modules(files("detectors.sigma")):
        code.update(module.read_bytes())
    names = ("davylamp", "pysigma", "pyyaml", "google-re2")
    return [*(version(name) for name in names), code.hexdigest()]


def _modules(folder: Traversable) -> list[Traversable]:
    entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    inner = [module for entry in entries if entry.is_dir() for module in _modules(entry)]
    return [entry for entry in entries if entry.name.endswith(".py")] + inner


def _unusable(folder: Path) -> str | None:
    """Return why a folder is not used; makes it when it is not there."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        return f"{folder}: {error.strerror}"
    if not stat.S_ISDIR(found.st_mode):
        return f"{folder}: is no folder"
    if found.st_uid != os.geteuid():
        return f"{folder}: belongs to another user"
    if found.st_mode & 0o077:
        return f"{folder}: others may enter it; chmod 700"
    return None


def _read(path: Path) -> bytes | None:
    """Return an entry's bytes, None when there is none. Raises StoredError for what we did not write."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        foreign = found.st_uid != os.geteuid() or found.st_mode & 0o022
        if foreign or not stat.S_ISREG(found.st_mode) or found.st_size > MAX_ENTRY:
            raise StoredError("no file of ours")
        return file.read(MAX_ENTRY)


def _content(key: str, data: bytes) -> object:
    """Return the stored data of an entry. Raises StoredError."""
    digest, body = data[:_DIGEST], data[_DIGEST + 1 :]
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise StoredError("the content is not what was written")
    try:
        found: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise StoredError("no JSON") from error
    match found:
        case [name, content] if name == key:
            return content
        case _:
            raise StoredError("the entry of another text")


def _write(path: Path, text: bytes) -> None:
    """Write a file of mode 0600 in one step: another process sees all of it or nothing."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    made = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
        made.replace(path)
    except OSError:
        made.unlink(missing_ok=True)
        raise


def _listed(folder: os.DirEntry[str]) -> list[tuple[int, str]]:
    with os.scandir(folder) as entries:
        return [(entry.stat(follow_symlinks=False).st_mtime_ns, entry.path) for entry in entries]
