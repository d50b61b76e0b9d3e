"""The long way of a record: envelopes inside one another, bounded in depth, bytes and events.

An item that cannot be read never loses the others, and nothing that arrives here raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.sources.base64_text import MARK, unbase64
from connectors.sources.decoding import BOM, concatenated, decode, several
from connectors.sources.envelope_catalogue import opened
from connectors.sources.envelope_container import cri, recognise_cri
from connectors.sources.envelope_log_shipper import LIFTS, lifted
from connectors.sources.gunzip import MAGIC, gunzip
from connectors.sources.layer import Layer, Packed, within
from connectors.sources.reject import Reason, Reject
from connectors.sources.shape import containers, explain
from connectors.sources.source import Source
from connectors.sources.unpacked import Unpacked
from detectors.event import Locator


@dataclass(slots=True)
class Unpacking:
    """One record being unpacked. `origin` is that of the envelopes around what is being read now.

    All gzip of one record shares `max_bytes`; each bomb halves what is left, so that many do not add up.
    """

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
    left: int = -1

    def run(self, value: bytes) -> Unpacked:
        """Return what the record held."""
        self.left = self.max_bytes
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
            self._bounded(depth)
            return self._text(self._gunzip(value), depth + 1)
        text = value.removeprefix(BOM).strip()
        if not text:
            return False
        if self.source.recognise_line(text):
            return self._lines(text, depth)
        if text.startswith(MARK):
            self._bounded(depth)
            return self._packed(text, depth + 1)
        if recognise_cri(text):
            self._bounded(depth)
            self._layers(cri(text), depth + 1)
            return True
        try:
            decoded = decode(text)
        except Reject as reject:
            return self._several(text, reject, depth)
        return self._value(decoded, depth)

    def _bounded(self, depth: int) -> None:
        if depth >= self.max_depth:
            raise Reject(Reason.TOO_DEEP, f"over {self.max_depth} envelopes inside one another")

    def _gunzip(self, value: bytes) -> bytes:
        try:
            plain = gunzip(value, self.left)
        except Reject as reject:
            if reject.reason is Reason.BOMB:
                self.left //= 2
            raise
        self.left -= len(plain)
        return plain

    def _packed(self, text: bytes, depth: int) -> bool:
        """Base64 of gzip, or of plain text, as one envelope."""
        raw = unbase64(text)
        return self._text(self._gunzip(raw) if raw[:2] == MAGIC else raw, depth)

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
        self._bounded(depth)
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

    def _lines(self, text: bytes, depth: int) -> bool:
        lines = [line for line in text.split(b"\n") if line.strip()]
        for line in lines:
            if self.source.recognise_line(line):
                self._event(line)
            elif line.lstrip().startswith(b"{"):
                self._json_line(line, depth + 1)
            else:
                self._reject(Reject(Reason.UNKNOWN_SHAPE, "a line that is no access log line"))
        return len(lines) > 1

    def _json_line(self, line: bytes, depth: int) -> None:
        try:
            self._value(decode(line), depth)
        except Reject as reject:
            self._reject(reject)

    def _value(self, value: Any, depth: int) -> bool:
        """Read a decoded value; return whether it was an envelope."""
        if self.source.recognise(value):
            if not isinstance(value.get(LIFTS), dict):
                self._event(value)
                return False
            layers = lifted(value)
        elif isinstance(value, dict) and value.get("messageType") == "CONTROL_MESSAGE":
            self.out.control += 1
            return False
        else:
            layers = opened(value)
        if layers is None:
            self._reject(explain(value, self.source))
            return False
        if depth >= self.max_depth:
            self._reject(Reject(Reason.TOO_DEEP, f"over {self.max_depth} envelopes inside one another"))
            return True
        self._layers(layers, depth + 1)
        return True

    def _layers(self, layers: Iterable[Layer], depth: int) -> None:
        outer = self.origin
        for payload, origin in layers:
            self.origin = within(outer, origin)
            try:
                self._payload(payload, depth)
            except Reject as reject:
                self._reject(reject)
        self.origin = outer

    def _payload(self, payload: Any, depth: int) -> None:
        if isinstance(payload, Reject):
            self._reject(payload)
        elif isinstance(payload, Packed):
            self._packed(payload.text.encode("utf-8", "replace"), depth)
        elif isinstance(payload, bytes):
            self._text(payload, depth)
        elif isinstance(payload, str):
            self._text(payload.encode("utf-8", "replace"), depth)
        else:
            self._value(payload, depth)

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
