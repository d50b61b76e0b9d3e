"""The long way of a record: envelopes inside one another, bounded in depth, bytes and events.

An item that cannot be read never loses the others, and nothing that arrives here raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final

from connectors.sources.base64_text import MARK, unbase64
from connectors.sources.decoding import (
    BOM,
    SHORTEST,
    TINY,
    MoreFollows,
    concatenated,
    decode,
    no_object,
    several,
    too_short,
)
from connectors.sources.envelope_array import WHOLE, array_chunks
from connectors.sources.envelope_catalogue import hopeless, item_layer, opened
from connectors.sources.envelope_container import NO_LINE, cri, recognise_cri
from connectors.sources.envelope_log_shipper import LIFTS, lifted
from connectors.sources.gunzip import MAGIC, gunzip
from connectors.sources.kubernetes_cut import STATED_TIME
from connectors.sources.layer import Layer, Packed, Partial, Rows, within
from connectors.sources.moment import stated
from connectors.sources.reject import Reason, Reject
from connectors.sources.shape import CONTROL_KEYS, explain, is_control
from connectors.sources.source import Source
from connectors.sources.unpacked import Unpacked
from detectors.event import Locator

_BEGINNINGS: Final = frozenset(b" \t\r\n[{H\x1f\xef0123456789")


@dataclass(slots=True)
class Unpacking:
    """One record being unpacked. `origin` is that of the envelopes around what is being read now.

    All gzip of one record shares `max_bytes`; each bomb halves what is left, so that many do not add up.
    After `max_rejects` items that cannot be read (`spent`) the others are read as before, but bad ones are
    only counted, those too short for an event without a look: many bytes of nothing must stay cheap.
    """

    source: Source
    at: Locator
    origin: Mapping[str, str]
    max_bytes: int
    max_events: int
    max_depth: int
    max_rejects: int
    out: Unpacked = field(default_factory=lambda: Unpacked([]))
    rejects: list[Reject] = field(default_factory=list[Reject])
    index: int = 0
    over: int = 0
    more: int = 0
    spent: bool = False
    left: int = -1
    time: Any = None

    def run(self, value: bytes) -> Unpacked:
        """Return what the record held."""
        self.left = self.max_bytes
        try:
            enclosed = self._text(value, 0)
        except Reject as reject:
            reject.locator = self.at
            return Unpacked([], [reject], unreadable=True)
        if self.more:
            detail = f"{self.more} more items that cannot be read"
            self.rejects.append(Reject(Reason.TOO_MANY_REJECTS, detail, self._place()))
        if self.over:
            detail = f"at least {self.over} events over the limit of {self.max_events}"
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
        if len(text) > WHOLE and (chunks := array_chunks(text)) is not None:
            return self._chunks(chunks, depth)
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
        if self.spent and self._hopeless_text(raw):
            self._count()
            return False
        return self._text(self._gunzip(raw) if raw[:2] == MAGIC else raw, depth)

    def _chunks(self, chunks: Iterable[list[Any]], depth: int) -> bool:
        """The items of a large array, so many at a time; one that breaks off keeps what stood before."""
        self._bounded(depth)
        try:
            for items in chunks:
                self._rows(Rows(items, item_layer), depth + 1)
        except Reject as reject:
            self._reject(reject)
        return True

    def _several(self, text: bytes, reject: Reject, depth: int) -> bool:
        """The text is not one JSON value: perhaps it is several, or has text lines among others."""
        follows = isinstance(reject, MoreFollows)
        if not follows and b"\n" not in text:
            if reject.reason is Reason.TRUNCATED and self._cut(text):
                return False
            raise reject
        for split in (several, concatenated) if follows else (several,):
            if any(self._holds(piece, found) for piece, found in split(text)):
                self._bounded(depth)
                for piece, found in split(text):
                    self._piece(piece, found, depth + 1)
                return True
        raise reject

    def _holds(self, piece: bytes, found: Any) -> bool:
        if found is TINY:
            return piece[:1] + piece[-1:] in {b"{}", b"[]"}
        return isinstance(found, dict | list) or self.source.recognise_line(piece)

    def _piece(self, piece: bytes, found: Any, depth: int) -> None:
        if isinstance(found, Reject):
            self._line(piece, found)
        elif found is TINY:
            self._tiny(piece, depth)
        else:
            self._value(found, depth)

    def _tiny(self, piece: bytes, depth: int) -> None:
        """Too short for an event: named while names are left, else counted without a look."""
        if self.spent:
            self._count()
        else:
            self._json_line(piece, depth)

    def _line(self, piece: bytes, reject: Reject) -> None:
        if self.source.recognise_line(piece):
            self._event(piece)
        else:
            self._reject(reject)

    def _lines(self, text: bytes, depth: int) -> bool:
        count = 0
        for line in BytesIO(text):
            if len(line) <= SHORTEST and not line.strip():
                continue
            count += 1
            if self.spent and len(line) <= SHORTEST:
                self._count()
                continue
            if self.source.recognise_line(line):
                self._event(line.removesuffix(b"\n"))
            elif line.lstrip().startswith(b"{"):
                self._json_line(line, depth + 1)
            else:
                self._bad(Reason.UNKNOWN_SHAPE, "a line that is no access log line")
        return count > 1

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
        elif isinstance(value, dict) and not CONTROL_KEYS.isdisjoint(value) and is_control(value):
            self.out.control += 1
            return False
        else:
            layers = opened(value)
        if layers is None:
            if self.spent:
                self._count()
            else:
                self._reject(explain(value, self.source))
            return False
        if depth >= self.max_depth:
            self._bad(Reason.TOO_DEEP, f"over {self.max_depth} envelopes inside one another")
            return True
        self._layers(layers, depth + 1)
        return True

    def _layers(self, layers: Iterable[Layer] | Rows, depth: int) -> None:
        if isinstance(layers, Rows):
            self._rows(layers, depth)
            return
        outer = self.origin
        for layer in layers:
            if self._full():
                self.over += 1
                break
            if layer is NO_LINE:
                self._bad(Reason.BAD_JSON, "a line that is no CRI line among CRI lines")
            else:
                self._layer(layer, outer, depth)
        self.origin = outer

    def _rows(self, rows: Rows, depth: int) -> None:
        outer = self.origin
        for number, item in enumerate(rows.items):
            if self._full():
                self.over += len(rows.items) - number
                break
            if item == []:
                continue
            if self.spent and (hopeless(item) or rows.hold_nothing_in(item)):
                self._count()
            else:
                self._layer(rows.read(item), outer, depth)
        self.origin = outer

    def _layer(self, layer: Layer, outer: Mapping[str, str], depth: int) -> None:
        payload, origin, time = layer
        self.origin = within(outer, origin) if origin else outer
        before = self.time
        self.time = time if before is None else before
        try:
            self._payload(payload, depth)
        except Reject as reject:
            self._reject(reject)
        self.time = before

    def _payload(self, payload: Any, depth: int) -> None:
        if isinstance(payload, (dict, list)):
            self._value(payload, depth)
        elif payload is None and self.spent:
            self._count()
        elif isinstance(payload, Reject):
            self._reject(payload)
        elif isinstance(payload, Rows):
            self._rows(payload, depth)
        elif isinstance(payload, Partial):
            if not self._cut(payload.text):
                self._bad(Reason.PARTIAL, "a container line without its end")
        elif isinstance(payload, Packed):
            if self.spent and len(payload.text) < SHORTEST:
                self._count()
            else:
                self._packed(payload.text.encode("utf-8", "replace"), depth)
        elif isinstance(payload, str | bytes):
            text = payload.encode("utf-8", "replace") if isinstance(payload, str) else payload
            if self.spent and self._hopeless_text(text):
                self._count()
            else:
                self._text(text, depth)
        else:
            self._value(payload, depth)

    def _hopeless_text(self, text: bytes) -> bool:
        """Whether no event can come of it: short, or words that are no line of this source."""
        if too_short(text):
            return True
        known = text[0] in _BEGINNINGS and not no_object(text)
        return not known and not self.source.recognise_line(text)

    def _event(self, value: Any) -> None:
        if self._full():
            self.over += 1
            return
        try:
            self._take(value)
        except Reject as reject:
            self._reject(reject)

    def _take(self, value: Any) -> None:
        """Parse one event. Of a line that was cut, the envelope may know the time, which is no place."""
        origin = self.origin
        time = stated(self.time) if isinstance(value, bytes) and value[:1] == b"{" else None
        if time:
            origin = {**origin, STATED_TIME: time}
        event = self.source.parse(value, self._place(), origin)
        if STATED_TIME in event.origin:
            event.origin = self.origin
        self.out.events.append(event)
        self.index += 1

    def _cut(self, text: bytes) -> bool:
        """Take the event of an object that was cut, where the source can read one, and say whether."""
        if text[:1] != b"{" or self._full():
            return False
        try:
            self._take(text)
        except Reject:
            return False
        return True

    def _reject(self, reject: Reject) -> None:
        if self.spent:
            self._count()
            return
        if self._full():
            self.over += 1
            return
        reject.locator = self._place()
        self.rejects.append(reject)
        self.index += 1
        self.spent = len(self.rejects) >= self.max_rejects

    def _bad(self, reason: Reason, detail: str) -> None:
        if self.spent:
            self._count()
        else:
            self._reject(Reject(reason, detail))

    def _count(self) -> None:
        """An item that cannot be read after too many of them."""
        self.more += 1
        self.index += 1

    def _full(self) -> bool:
        return len(self.out.events) + len(self.rejects) >= self.max_events

    def _place(self) -> Locator:
        at = self.at
        return Locator(at.topic, at.partition, at.offset, self.index)
