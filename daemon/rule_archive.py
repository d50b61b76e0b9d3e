"""Rules in an archive (tar, tar.gz, zip): read in memory, never unpacked to disk; all is bounded.

Links, devices and names that lead out of the archive are refused by name; other files are passed over.
"""

from __future__ import annotations

import gzip
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final, cast

from detectors.sigma.document import Refusal, RuleDocument
from detectors.wording import plain

SUFFIXES: Final = (".tar", ".tar.gz", ".tgz", ".zip")
MAX_UNPACKED: Final = 256 << 20
MAX_MEMBERS: Final = 50_000
MAX_MEMBER: Final = 4 << 20
_PIECE: Final = 1 << 20
_SPOOLED: Final = 8 << 20
_ZIPPED: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_YAML: Final = (".yml", ".yaml")
_NO_ARCHIVE: Final = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    ValueError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
)


class _TooMuchError(ValueError):
    """The archive holds more than is read."""


def archive_documents(path: Path, name: str) -> Iterator[RuleDocument | Refusal]:
    """Yield the documents of an archive as ``ARCHIVE/MEMBER``, and what cannot be read. Raises nothing."""
    members = _zipped if path.name.lower().endswith(".zip") else _tarred
    try:
        with path.open("rb") as file:
            if path.stat().st_size > MAX_UNPACKED:
                raise _too_large()
            yield from members(file, name)
    except _TooMuchError as error:
        yield Refusal(name, None, None, str(error), "Unpack it, and name the folder")
    except _NO_ARCHIVE as error:
        told = plain(f"the archive cannot be read: {error}")
        yield Refusal(name, None, None, told, "Pack it again, or unpack it and name the folder")


def _tarred(file: IO[bytes], name: str) -> Iterator[RuleDocument | Refusal]:
    with _plain_tar(file) as plain_file, tarfile.open(fileobj=plain_file, mode="r:") as archive:
        for number, member in enumerate(archive):
            _count(number)
            place = _place(name, member.name)
            if not _wanted(member.name) or member.isdir():
                continue
            if not member.isreg():
                yield _refused(place, "is a link or a device, not a file")
            elif (refusal := _named(place, member.name, member.size)) is not None:
                yield refusal
            else:
                opened = cast("IO[bytes]", archive.extractfile(member))
                yield decoded(place, opened.read(MAX_MEMBER + 1))


def _zipped(file: IO[bytes], name: str) -> Iterator[RuleDocument | Refusal]:
    with zipfile.ZipFile(file) as archive:
        left = MAX_UNPACKED
        for number, member in enumerate(archive.infolist()):
            _count(number)
            place = _place(name, member.filename)
            if not _wanted(member.filename) or member.is_dir():
                continue
            if (member.external_attr >> 28) not in (0, 8):
                yield _refused(place, "is a link or a device, not a file")
            elif member.flag_bits & 1 or member.compress_type not in _ZIPPED:
                yield _refused(place, "is encrypted, or compressed in another way than deflate")
            elif (refusal := _named(place, member.filename, member.file_size)) is not None:
                yield refusal
            else:
                with archive.open(member) as opened:
                    data = opened.read(MAX_MEMBER + 1)
                left -= len(data)
                if left < 0:
                    raise _too_large()
                yield decoded(place, data)


@contextmanager
def _plain_tar(file: IO[bytes]) -> Iterator[IO[bytes]]:
    """Give the tar itself: a compressed one is unpacked into an unnamed temporary file, up to the bound."""
    compressed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    if not compressed:
        yield cast("IO[bytes]", _Bounded(file))
        return
    with tempfile.SpooledTemporaryFile(_SPOOLED) as spool, gzip.GzipFile(fileobj=file) as unpacked:
        size = 0
        while piece := unpacked.read(_PIECE):
            size += len(piece)
            if size > MAX_UNPACKED:
                raise _too_large()
            spool.write(piece)
        spool.seek(0)
        yield cast("IO[bytes]", _Bounded(cast("IO[bytes]", spool)))


class _Bounded:
    """A file that gives no more than one member at a time: a header can ask for gigabytes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek = file.seek
        self.tell = file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_MEMBER + tarfile.BLOCKSIZE:
            raise _TooMuchError(f"the archive has a part of more than {MAX_MEMBER >> 20} MiB")
        return self._file.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _count(number: int) -> None:
    if number >= MAX_MEMBERS:
        raise _TooMuchError(f"the archive has more than {MAX_MEMBERS} members")


def _too_large() -> _TooMuchError:
    return _TooMuchError(f"the archive unpacks to more than {MAX_UNPACKED >> 20} MiB")


def _wanted(name: str) -> bool:
    parts = PurePosixPath(name).parts
    hidden = any(part.startswith(".") and part not in (".", "..") for part in parts)
    return name.endswith(_YAML) and not hidden


def _named(place: str, name: str, size: int) -> Refusal | None:
    """Return a refusal for a name that leads out of the archive, or a member that is too large."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        return _refused(place, "has a name that leads out of the archive")
    return _refused(place, "the file is larger than 1 MiB") if size > MAX_MEMBER else None


def _refused(place: str, reason: str) -> Refusal:
    return Refusal(place, None, None, reason, "Leave it out of the archive")


def _place(archive: str, member: str) -> str:
    return f"{archive}/{plain(member)}"


def decoded(place: str, data: bytes) -> RuleDocument | Refusal:
    """Return a document of UTF-8 text."""
    try:
        return RuleDocument(place, data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return Refusal(place, line, None, "the file is not UTF-8", "Save it as UTF-8")
