"""Files to events, streaming: JSON Lines, text lines, arrays, envelopes, each also gzipped."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

import orjson

from connectors.sources.decoding import few_brackets, shallow
from connectors.sources.envelope import unpack
from connectors.sources.envelope_array import WHOLE, array_chunks
from connectors.sources.envelope_log_shipper import LIFTS
from connectors.sources.gunzip import MAGIC
from connectors.sources.line_batches import LINE_LIMIT, batches
from connectors.sources.reject import Reason, Reject
from connectors.sources.source import Source
from detectors.event import Event, Locator

DOCUMENT_LIMIT: Final = 512 * 1024 * 1024
_EVERY: Final = 100_000_000
Skim: TypeAlias = Callable[[Sequence[bytes]], Iterable[int]]
"""Is given lines, and returns the places of those that are to be read, in their order."""


class FileUnreadableError(OSError):
    """The file cannot be opened or is not what its first bytes say; the message names it."""


def read_events(path: Path, source: Source, skim: Skim | None = None) -> Iterator[Event | Reject]:
    """Yield the events of `path` in order, and a Reject for what cannot be read.

    Locators carry the path as topic, 0 as partition and the 1-based line as offset; a document over
    several lines (an array, a CloudTrail file) has line 1 and its items' index. `skim` is shown the lines of
    JSON Lines and says which are to be read; it counts the others. Raises FileUnreadableError; a file that
    breaks in the middle yields a last Reject instead.
    """
    try:
        with path.open("rb", buffering=1 << 20) as raw:
            packed = raw.read(2) == MAGIC
            raw.seek(0)
            if packed:
                with gzip.GzipFile(fileobj=raw) as unpacked:
                    yield from _read(io.BufferedReader(unpacked, 1 << 20), str(path), source, skim)
            else:
                yield from _read(raw, str(path), source, skim)
    except OSError as error:
        raise FileUnreadableError(f"{path}: {error.strerror or error}") from error


def _read(
    stream: BinaryIO | io.BufferedReader, name: str, source: Source, skim: Skim | None
) -> Iterator[Event | Reject]:
    number = 0
    try:
        first = stream.readline(LINE_LIMIT + 1)
        if _starts_document(first):
            yield from _document(first, stream, name, source)
            return
        loads, parse, recognise_line = orjson.loads, source.parse, source.recognise_line
        for lines in batches(first, stream):
            for place in range(len(lines)) if skim is None else skim(lines):
                line, at = lines[place], number + place + 1
                found = None
                try:
                    if line[0] == 0x5B and recognise_line(line):
                        found = parse(line, Locator(name, 0, at, 0))
                    elif len(line) <= WHOLE:
                        value = loads(line)
                        usual = type(value) is dict and LIFTS not in value
                        if usual and (few_brackets(line) or shallow(value)):
                            found = parse(value, Locator(name, 0, at, 0))
                except (orjson.JSONDecodeError, Reject):
                    pass
                if found is None:
                    yield from _line(line, name, at, source)
                else:
                    yield found
            number += len(lines)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        yield Reject(Reason.TRUNCATED, "the gzip stream breaks off", Locator(name, 0, number + 1, 0))


def _line(line: bytes, name: str, number: int, source: Source) -> Iterator[Event | Reject]:
    if len(line) > LINE_LIMIT:
        yield Reject(Reason.TOO_LARGE, f"a line over {LINE_LIMIT} bytes", Locator(name, 0, number, 0))
        return
    found = unpack(line, source, name, 0, number, max_events=_EVERY, max_rejects=_EVERY)
    yield from found.events
    yield from found.rejects


def _starts_document(first: bytes) -> bool:
    """Whether the file is one JSON document over several lines, told by its unfinished first line."""
    text = first.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not first or len(first) > LINE_LIMIT:
        return bool(first) and text[:1] in (b"{", b"[")
    if not text:
        return False
    if text[:1] not in (b"{", b"[") or text[1:5].isdigit():
        return False
    if len(text) > WHOLE and array_chunks(text) is not None:
        return False
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return "end of data" in error.msg
    return False


def _document(
    first: bytes, stream: BinaryIO | io.BufferedReader, name: str, source: Source
) -> Iterator[Event | Reject]:
    """One JSON document over several lines; if it is none, lines after all (the first one was cut)."""
    whole = first + (stream.read(DOCUMENT_LIMIT + 1) or b"")
    try:
        orjson.loads(whole.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        if b"\n{" in whole and len(whole) <= DOCUMENT_LIMIT:
            for number, line in enumerate(io.BytesIO(whole), 1):
                yield from _line(line, name, number, source)
            return
    found = unpack(whole, source, name, 0, 1, max_bytes=DOCUMENT_LIMIT, max_events=_EVERY, max_rejects=_EVERY)
    yield from found.events
    yield from found.rejects
