"""One record to its events: gzip, CloudTrail files, EventLists, arrays, JSON Lines, text lines.

An item that cannot be read never loses the others, and nothing that arrives here raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from connectors.sources.decoding import BOM, concatenated, decode, several, shallow
from connectors.sources.gunzip import MAGIC, gunzip
from connectors.sources.reject import Reason, Reject
from connectors.sources.shape import containers, explain, items_of
from connectors.sources.source import NOWHERE, Source
from connectors.sources.unpacked import Unpacked
from detectors.event import Locator

MAX_BYTES: Final = 32 * 1024 * 1024
MAX_EVENTS: Final = 10_000
MAX_DEPTH: Final = 4


def unpack(
    value: bytes | None,
    source: Source,
    topic: str,
    partition: int,
    offset: int,
    *,
    max_bytes: int = MAX_BYTES,
    max_events: int = MAX_EVENTS,
    max_depth: int = MAX_DEPTH,
    origin: Mapping[str, str] = NOWHERE,
) -> Unpacked:
    """Return the events of one record's value. Never raises on any bytes.

    `max_bytes` bounds the value before and after decompression, `max_events` the events taken,
    `max_depth` the envelopes inside one another.
    """
    # The usual record is one event: read it without asking first. What is not ends in the long way.
    if value and len(value) <= max_bytes:
        first = value[0]
        try:
            if first == 0x7B and shallow(value):
                found = orjson.loads(value)
                return Unpacked([source.parse(found, Locator(topic, partition, offset, 0), origin)])
            if first == 0x5B and source.recognise_line(value) and b"\n" not in value[:-1]:
                return Unpacked([source.parse(value, Locator(topic, partition, offset, 0), origin)])
        except (orjson.JSONDecodeError, Reject):
            pass
    work = _Unpacking(source, Locator(topic, partition, offset, 0), origin, max_bytes, max_events, max_depth)
    return work.run(value or b"")


@dataclass(slots=True)
class _Unpacking:
    source: Source
    at: Locator
    origin: Mapping[str, str]
    max_bytes: int
    max_events: int
    max_depth: int
    out: Unpacked = field(default_factory=lambda: Unpacked([]))
    rejects: list[Reject] = field(default_factory=list[Reject])
    index: int = 0
    over: int = 0

    def run(self, value: bytes) -> Unpacked:
        try:
            enclosed = self._text(value, 0)
        except Reject as reject:
            reject.locator = self.at
            return Unpacked([], [reject], unreadable=True)
        if self.over:
            detail = f"{self.over} events over the limit of {self.max_events}"
            self.rejects.append(Reject(Reason.TOO_MANY_EVENTS, detail, self._place()))
        self.out.rejects = self.rejects
        if not enclosed and not self.out.events and len(self.rejects) == 1 and not self.out.control:
            self.out.unreadable = True
        self.out.empty = self.out.ending == "empty"
        return self.out

    def _text(self, value: bytes, depth: int) -> bool:
        """Read bytes; return whether they were an envelope (so that rejects are the events' own)."""
        if len(value) > self.max_bytes:
            raise Reject(Reason.TOO_LARGE, f"{len(value)} bytes")
        if value[:2] == MAGIC:
            if depth >= self.max_depth:
                raise Reject(Reason.TOO_DEEP, f"over {self.max_depth} envelopes inside one another")
            return self._text(gunzip(value, self.max_bytes), depth + 1)
        text = value.removeprefix(BOM).strip()
        if not text:
            return False
        if self.source.recognise_line(text):
            return self._lines(text)
        try:
            decoded = decode(text)
        except Reject as reject:
            return self._several(text, reject, depth)
        return self._value(decoded, depth)

    def _several(self, text: bytes, reject: Reject, depth: int) -> bool:
        """The text is not one JSON value: perhaps it is several, or has text lines among others."""
        if reject.reason in {Reason.TOO_DEEP, Reason.TRUNCATED} and b"\n" not in text:
            raise reject
        pieces = list(several(text))
        good = containers(pieces)
        if not good:
            whole = list(concatenated(text))
            good = containers(whole)
            pieces = whole if good else pieces
        if not good and not any(self.source.recognise_line(piece) for piece, _ in pieces):
            raise reject
        for piece, found in pieces:
            if isinstance(found, Reject):
                self._line_or(piece, found)
            else:
                self._value(found, depth + 1)
        return True

    def _line_or(self, piece: bytes, reject: Reject) -> None:
        if self.source.recognise_line(piece):
            self._event(piece)
        else:
            self._reject(reject)

    def _lines(self, text: bytes) -> bool:
        lines = [line for line in text.split(b"\n") if line.strip()]
        for line in lines:
            if self.source.recognise_line(line):
                self._event(line)
            elif line.lstrip().startswith(b"{"):
                self._json_line(line)
            else:
                self._reject(Reject(Reason.UNKNOWN_SHAPE, "a line that is no access log line"))
        return len(lines) > 1

    def _json_line(self, line: bytes) -> None:
        try:
            self._value(decode(line), 1)
        except Reject as reject:
            self._reject(reject)

    def _value(self, value: Any, depth: int) -> bool:
        if self.source.recognise(value):
            self._event(value)
            return False
        items = items_of(value)
        if items is not None:
            if depth >= self.max_depth:
                self._reject(Reject(Reason.TOO_DEEP, f"over {self.max_depth} envelopes inside one another"))
                return True
            for item in items:
                self._value(item, depth + 1)
            return True
        if isinstance(value, dict) and value.get("messageType") == "CONTROL_MESSAGE":
            self.out.control += 1
        else:
            self._reject(explain(value, self.source))
        return False

    def _event(self, value: Any) -> None:
        if self._full():
            return
        try:
            self.out.events.append(self.source.parse(value, self._place(), self.origin))
            self.index += 1
        except Reject as reject:
            self._reject(reject)

    def _reject(self, reject: Reject) -> None:
        if self._full():
            return
        reject.locator = self._place()
        self.rejects.append(reject)
        self.index += 1

    def _full(self) -> bool:
        if self.index < self.max_events:
            return False
        self.over += 1
        return True

    def _place(self) -> Locator:
        return self.at._replace(index=self.index)
