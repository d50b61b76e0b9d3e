"""Audit events cut on their way: what stands whole in the head is read, nothing is guessed.

EKS ends such a line with `[Truncated...]`; AKS cuts at 16 KiB, container runtimes and Fluent Bit at 16 to
256 KiB. The reader follows strings and brackets from the first byte, so that text inside a value is never
taken for a key, and closes what the cut left open. A value that may have lost its end is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson

from connectors.sources.decoding import MAX_NESTING, decode
from connectors.sources.kubernetes_request import requested
from connectors.sources.reject import Reason, Reject
from connectors.sources.untrusted import object_at, text_at

HEAD_LIMIT: Final = 256 * 1024
"""Bytes of a cut line that are looked at; the bodies of requests and answers come last."""
MARK: Final = "truncated"
"""The key of `Event.origin` that tells an event of which only the head arrived; its value is "true"."""
STATED_TIME: Final = "time"
"""The key of an envelope's origin that holds the RFC 3339 time which the envelope states for a line."""

_STRING: Final = rb'"(?:[^"\\]++|\\.)*+"'
_HEAD: Final = re.compile(
    rb'\{\s*+(?:(?!"auditID")"[^"\\]*+"\s*+:\s*+"[^"\\]*+"\s*+,\s*+){0,8}+"auditID"\s*+:'
)
_BRACKET: Final = re.compile(_STRING + rb'|\[\s*+\]|\{\s*+\}|["{}\[\]]', re.DOTALL)
_MEMBERS: Final = re.compile(rb'(?:(?:[^",]++|' + _STRING + rb")*+,)*+", re.DOTALL)
_WRITERS_MARK: Final = re.compile(rb"\[Truncated\.{3}\]?\s*\Z")
_MARK_LIMIT: Final = 64
_CLOSING: Final = {0x7B: 0x7D, 0x5B: 0x5D}
_LISTS_WHOSE_END_COUNTS: Final = frozenset({"sourceIPs"})


class Head(NamedTuple):
    """What is left of a line: its `fields`, and the top-level key whose list or object was cut, or None.

    `whole`: the object ends before its line does, so that it was not cut at all.
    """

    fields: dict[str, Any]
    cut_in: str | None = None
    whole: bool = False


def recognise_cut(line: bytes) -> bool:
    """Return whether the first line begins as an audit event does and does not end as an object does."""
    end = line.find(b"\n")
    end = len(line) if end < 0 else end
    if _HEAD.match(line, 0, end) is None:
        return False
    line = line[:end].rstrip()
    if not line.endswith(b"}"):
        return True
    if line.count(b"{") == line.count(b"}"):
        return False
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return True
    return False


def read_head(line: bytes) -> Head:
    """Return what stands whole in the head of a line. Raises Reject when that is no JSON."""
    line = line.strip()
    marked = _WRITERS_MARK.search(line, max(0, len(line) - _MARK_LIMIT))
    line = line[: marked.start()] if marked else line
    text = line[:HEAD_LIMIT]
    closing, safe, whole = _scan(text)
    if not closing:
        return Head(decode(line), whole=True)
    fields = _mended(text, closing, safe, whole=whole)
    return Head(fields, next(reversed(fields), None) if len(closing) > 1 else None)


def _scan(text: bytes) -> tuple[bytes, int, bool]:
    """Return what closes `text`, where its last whole value ends, and whether no string is open."""
    open_ones = bytearray()
    start, whole = 0, True
    for found in _BRACKET.finditer(text):
        at = found.start()
        if found.end() - at > 1:
            continue
        byte = text[at]
        if byte == 0x22:
            whole = False
            break
        if byte in _CLOSING:
            open_ones.append(_CLOSING[byte])
            if len(open_ones) > MAX_NESTING:
                raise Reject(Reason.TOO_DEEP, f"nested over {MAX_NESTING} levels")
        elif not open_ones or open_ones.pop() != byte:
            raise Reject(Reason.BAD_JSON, "brackets that do not match")
        start = at + 1
        if not open_ones:
            break
    members = _MEMBERS.match(text, start)
    end = members.end() if members else start
    return bytes(reversed(open_ones)), max(start, end - 1), whole


def _mended(text: bytes, closing: bytes, safe: int, *, whole: bool) -> dict[str, Any]:
    """Return the value of `text` closed at its end, or without its last, unfinished member.

    A number at the very end may have lost digits, so it counts as unfinished.
    """
    if whole and text[-1:] in b'"el}]':
        try:
            return orjson.loads(text + closing)
        except orjson.JSONDecodeError:
            pass
    found: dict[str, Any] = decode(text[:safe] + closing)
    return found


def salvaged(line: bytes, origin: Mapping[str, str]) -> tuple[dict[str, Any], Mapping[str, str], Any]:
    """Return fields, marked origin and event time (RFC 3339) of a cut line. Raises Reject.

    The time is `stageTimestamp`, else `requestReceivedTimestamp`, else what the envelope states: the API
    server writes both after the bodies. A list of peers without its end would name a forged one; an object
    reference without its end is read from the request's path.
    """
    fields, cut_in, whole = read_head(line)
    if whole:
        return fields, origin, fields.get("stageTimestamp")
    if cut_in and (cut_in in _LISTS_WHOSE_END_COUNTS or not fields[cut_in]):
        del fields[cut_in]
    if cut_in == "objectRef" or "objectRef" not in fields:
        fields.pop("objectRef", None)
        target = requested(text_at(fields, "requestURI") or "")
        if target:
            fields["objectRef"] = target
    if not all(text_at(fields, key) for key in ("auditID", "stage", "verb")):
        raise Reject(Reason.TRUNCATED, "cut before auditID, stage and verb")
    time = text_at(fields, "stageTimestamp") or text_at(fields, "requestReceivedTimestamp")
    time = time or origin.get(STATED_TIME)
    if time is None:
        raise Reject(Reason.TRUNCATED, "cut before its time, and no envelope states one")
    kept = {key: text for key, text in origin.items() if key != STATED_TIME}
    return fields, {**kept, MARK: "true"}, time


def is_truncated(fields: Mapping[str, Any], origin: Mapping[str, str]) -> bool:
    """Return whether parts of an event are missing: cut on its way, or left out by the API server."""
    return MARK in origin or object_at(fields, "annotations").get("audit.k8s.io/truncated") == "true"
