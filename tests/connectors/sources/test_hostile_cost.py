"""No record costs more than 50 times what as many bytes of ordinary events cost, measured in the same run.

The allowance for N bytes is 50 times (one ordinary event + N bytes of ordinary events of the same form: JSON,
or Istio's TEXT); what is compressed counts with the bytes that it unpacks to, as an ordinary record may do.
Both are measured one after the other, because a shared machine changes its speed from second to
second; the least ratio of some rounds counts.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.sources.catalogue import KINDS, profile
from connectors.sources.envelope import MAX_BYTES, unpack

HERE = Path(__file__).parent
FACTOR = 50
LENGTH = 200_000
EVENT = (
    b'{"eventVersion":"1.11","eventName":"GetObject","eventSource":"s3.amazonaws.com",'
    b'"eventTime":"2026-11-20T08:15:30Z","eventID":"e1"}'
)
CASES = [json.loads(line) for line in (HERE / "hostile/cases.jsonl").read_text().splitlines()]
GZIP_TEXT = re.compile(rb"H4sI[A-Za-z0-9+/]{20,}={0,2}")
TEXT = b"[2026-11-20T08:15:30Z] "
CRI = b"2026-11-20T08:15:30Z stdout F "


def many(before: bytes, item: bytes, after: bytes = b"", between: bytes = b",") -> bytes:
    """Return `item` so often that the record has about LENGTH bytes."""
    count = LENGTH // (len(item) + len(between))
    return before + between.join([item] * count) + after


def lines(item: bytes, before: bytes = b"") -> bytes:
    return many(before, item, b"", b"\n")


def within_event(item: bytes, before: bytes = b"", after: bytes = b"", between: bytes = b"") -> bytes:
    """Return an event with a further key that holds many items."""
    return many(EVENT[:-1] + b',"x":' + before, item, after + b"}", between)


ROWS = b'{"logGroup":"g","logEvents":['
OTLP = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":['
NASTY: dict[str, Callable[[], bytes]] = {
    "numbers": lambda: many(b"[", b"1", b"]"),
    "empty objects": lambda: many(b"[", b"{}", b"]"),
    "small objects": lambda: many(b"[", b'{"":0}', b"]"),
    "texts": lambda: many(b"[", b'"a"', b"]"),
    "empty lists": lambda: many(b"[", b"[]", b"]"),
    "lists in lists": lambda: many(b"[", b"[[[[[0]]]]]", b"]"),
    "a file of numbers": lambda: many(b'{"Records":[', b"1", b"]}"),
    "a file of no events": lambda: many(b'{"Records":[', b'{"eventName":0,"eventSource":0}', b"]}"),
    "lifted nothing": lambda: many(b"[", b'{"eventName":0,"eventSource":0,"kubernetes":{"a":1}}', b"]"),
    "Firehose of words": lambda: many(b'{"records":[', b'"{aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"', b"]}"),
    "Firehose of nothing": lambda: many(b'{"records":[', b'{"data":""}', b"]}"),
    "Firehose of base64 of words": lambda: many(
        b'{"records":[', b'{"data":"%s"}' % base64.b64encode(b"{" + b"x" * 40), b"]}"
    ),
    "Firehose of empty gzip": lambda: many(
        b'{"records":[', b'{"data":"%s"}' % base64.b64encode(gzip.compress(b"", mtime=0)), b"]}"
    ),
    "CloudWatch numbers": lambda: many(ROWS, b"0", b"]}"),
    "CloudWatch small rows": lambda: many(ROWS, b'{"":0}', b"]}"),
    "CloudWatch words": lambda: many(ROWS, b'{"message":"{aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}', b"]}"),
    "CloudWatch broken gzip": lambda: many(ROWS, b'{"message":"H4sIaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}', b"]}"),
    "Azure of nothing": lambda: many(b'{"records":[', b'{"category":0,"properties":{"log":""}}', b"]}"),
    "OTLP groups": lambda: many(b'{"resourceLogs":[', b'{"":0}', b"]}"),
    "OTLP scopes": lambda: many(
        b'{"resourceLogs":[', b'{"scopeLogs":[0],"resource":{"attributes":[]}}', b"]}"
    ),
    "OTLP records": lambda: many(OTLP, b'{"":0}', b"]}]}]}"),
    "OTLP bodies": lambda: many(OTLP, b'{"body":{}}', b"]}]}]}"),
    "OTLP attributes": lambda: many(OTLP, b'{"attributes":[0]}', b"]}]}]}"),
    "OTLP pairs": lambda: many(
        OTLP + b'{"body":{"kvlistValue":{"values":[', b'{"key":"","value":{}}', b"]}}}]}]}]}"
    ),
    "shipped nothing": lambda: many(b"[", b'{"log":"","kubernetes":{"a":1}}', b"]"),
    "shipped numbers": lambda: many(b"[", b'{"log":0,"time":1}', b"]"),
    "control messages": lambda: many(b"[", b'{"messageType":"CONTROL_MESSAGE"}', b"]"),
    "lines of one letter": lambda: lines(b"x", EVENT + b"\n"),
    "lines of words": lambda: lines(b"x" * 32, EVENT + b"\n"),
    "lines of a brace": lambda: lines(b"{"),
    "lines of a bracket": lambda: lines(b"["),
    "lines of brackets": lambda: lines(b"[" * 40),
    "lines of a brace and a quote": lambda: lines(b'{"'),
    "lines of objects": lambda: lines(b'{"":0}', EVENT + b"\n"),
    "lines with two objects": lambda: lines(b'{"aaaaaaaaaaaaaa":1}{"aaaaaaaaaaaaaa":1}', EVENT + b"\n"),
    "lines with NaN": lambda: lines(b'{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa":NaN}', EVENT + b"\n"),
    "lines with lone surrogates": lambda: lines(b'{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa":"\\ud800"}'),
    "empty lines": lambda: lines(b"", EVENT),
    "objects without a comma": lambda: many(b"", b'{"":0}', between=b""),
    "objects without a comma, longer": lambda: many(
        b"", b'{"aaaaaaaaaaaaaa":0,"b":[1,2,3,4,5,6,7]}', between=b""
    ),
    "container lines": lambda: lines(CRI),
    "parts of container lines": lambda: lines(CRI.replace(b"F", b"P")),
    "words among container lines": lambda: lines(b"x", CRI + EVENT + b"\n"),
    "tiny gzip members": lambda: many(b"", gzip.compress(b"", mtime=0), between=b""),
    "small gzip members": lambda: many(b"", gzip.compress(bytes(range(60)), mtime=0), between=b""),
    "one long text": lambda: within_event(b"a", b'"', b'"'),
    "escapes": lambda: within_event(b"\\u0041", b'"', b'"'),
    "lone surrogates": lambda: within_event(b"\\ud800", b'"', b'"'),
    "backslashes": lambda: within_event(b"\\\\", b'"', b'"'),
    "digits": lambda: within_event(b"1"),
    "digits behind a point": lambda: within_event(b"1", b"0."),
    "an exponent": lambda: within_event(b"1", b"1e"),
    "objects in an event": lambda: within_event(b"{}", b"[", b"]", b","),
    "NaN at the end": lambda: within_event(b"1", b"[", b",NaN]", b","),
    "cut": lambda: within_event(b"1", b"[", b"", b",")[:-1],
    "cut over many lines": lambda: within_event(b"1,", b"[", b"", b"\n")[:-1],
    "deep": lambda: b"[" * (LENGTH // 2) + b"]" * (LENGTH // 2),
    "deep and open": lambda: b"[" * LENGTH,
    "deep in an event": lambda: EVENT[:-1] + b',"x":' + b"[" * (LENGTH // 2) + b"]" * (LENGTH // 2) + b"}",
    "spaces": lambda: EVENT + b" " * LENGTH,
    "no UTF-8": lambda: EVENT + b"\xff" * LENGTH,
    "one key again and again": lambda: many(EVENT[:-1], b',"x":0', b"}", b""),
    "a kind that is a list": lambda: many(b'{"kind":[', b"1", b'],"items":[]}'),
}
TEXTS: dict[str, Callable[[], bytes]] = {
    "text lines that only begin": lambda: lines(b"[2026-11-20T"),
    "text lines cut": lambda: lines(TEXT + b'"GET / HTTP/1.1" 200'),
    "words among text lines": lambda: lines(b"x", TEXT + b'"GET\n'),
    "a text line of quotes": lambda: TEXT + b'"' + b'" 1 - - "' * 7000,
    "a text line of codes": lambda: TEXT + b'"' + b'" 1 ' * 16_000,
    "a text line of one word": lambda: TEXT + b'"" 1 ' + b"a" * 65_000,
    "a text line of sizes": lambda: TEXT + b'"x" 1 - - - "' + b'" 1 1 1 ' * 8000,
    "a text line of pairs": lambda: TEXT + b'"x" 1 - - - "" 1 1 1 1 "' + b'" "' * 20_000,
    "a text line of spaces": lambda: TEXT + b'"' + b" " * 65_000,
}
LARGE: dict[str, Callable[[], bytes]] = {
    "a text of 20 MB": lambda: EVENT[:-1] + b',"x":"' + b"a" * 20_000_000 + b'"}',
    "a million empty objects": lambda: b"[" + b"{}," * 1_000_000 + b"{}]",
    "a million empty objects in an event": lambda: EVENT[:-1] + b',"x":[' + b"{}," * 1_000_000 + b"{}]}",
    "a million numbers in a file": lambda: b'{"Records":[' + b"1," * 1_000_000 + b"1]}",
    "a million lines": lambda: b"{\n" * 1_000_000,
}
PACKED: dict[str, Callable[[], bytes]] = {
    "a bomb": lambda: gzip.compress(bytes(40_000_000)),
    "a bomb in base64": lambda: base64.b64encode(gzip.compress(bytes(40_000_000))),
    "gzip of numbers": lambda: gzip.compress(b"[" + b"1," * 2_000_000 + b"1]"),
    "gzip of lines": lambda: gzip.compress(b"x\n" * 2_000_000),
    "gzip in gzip in gzip": lambda: gzip.compress(gzip.compress(gzip.compress((EVENT + b"\n") * 2000))),
}


def cpu(values: list[tuple[bytes | None, str]], times: int = 1) -> float:
    """Return the CPU seconds of unpacking `values`, each with its source."""
    began = time.process_time()
    for _ in range(times):
        for value, kind in values:
            unpack(value, profile(kind), "raw", 0, 7)
    return (time.process_time() - began) / times


def ratio(value: bytes | None, kind: str, size: int, ordinary: list[tuple[bytes | None, str]]) -> float:
    """Return how many times the cost of ordinary events `value` costs, the least of up to ten rounds."""
    least = float("inf")
    for _ in range(10):
        usual = min(cpu(ordinary, 5), cpu(ordinary, 5))
        merits = usual / len(ordinary) + size * usual / sum(len(known or b"") for known, _ in ordinary)
        least = min(least, cpu([(value, kind)]) / merits)
        if least <= FACTOR:
            break
    return least


@pytest.fixture(scope="module")
def json_events() -> list[tuple[bytes | None, str]]:
    """Return the ordinary events of all sources in JSON."""
    return [
        (json.dumps(row["record"]).encode(), kind)
        for kind in KINDS
        for row in map(json.loads, (HERE / f"data/{kind}.jsonl").read_text().splitlines())
    ]


@pytest.fixture(scope="module")
def text_events() -> list[tuple[bytes | None, str]]:
    """Return ordinary TEXT lines."""
    rows = (HERE / "envelopes/20_text_line_in_cri.jsonl").read_text().splitlines()
    return [(json.loads(row)["line"].encode(), "istio_access") for row in rows]


def unpacked_size(value: bytes) -> int:
    """Return how many bytes there are with those that come out of gzip in it, up to the limit of a record."""
    packed = [base64.b64decode(found + b"==") for found in GZIP_TEXT.findall(value)]
    packed += [value] if value[:2] == b"\x1f\x8b" else []
    return len(value) + sum(unpacked_size(inflated(found)) for found in packed)


def inflated(value: bytes) -> bytes:
    """Return what a first gzip member unpacks to, as far as it is sound and below the limit."""
    try:
        return zlib.decompressobj(wbits=31).decompress(value, MAX_BYTES)
    except zlib.error:
        return b""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NASTY)
def test_bytes_of_nothing_are_cheap(name, kind, json_events):
    value = NASTY[name]()
    assert ratio(value, kind, len(value), json_events) <= FACTOR


@pytest.mark.parametrize("name", TEXTS)
def test_text_lines_of_nothing_are_cheap(name, text_events):
    value = TEXTS[name]()
    assert ratio(value, "istio_access", len(value), text_events) <= FACTOR


@pytest.mark.parametrize("name", LARGE)
def test_a_large_record_of_nothing_is_cheap(name, json_events):
    value = LARGE[name]()
    assert ratio(value, "cloudtrail", len(value), json_events) <= FACTOR


@pytest.mark.parametrize("name", PACKED)
def test_what_unpacks_to_much_is_cheap(name, json_events):
    value = PACKED[name]()
    assert ratio(value, "cloudtrail", unpacked_size(value), json_events) <= FACTOR


def value_of(case: dict[str, Any]) -> bytes | None:
    """Build a case's value as `hostile/README.md` says; None for a bomb and broken gzip (measured above)."""
    if "hex" in case and not case["hex"].startswith("1f8b"):
        return bytes.fromhex(case["hex"])
    if "wrap" in case:
        before, opening, closing, times, after = case["wrap"]
        return (before + opening * times + ("1" if closing else "") + closing * times + after).encode()
    if "lines" in case:
        return "\n".join([case["lines"][0]] * case["lines"][1]).encode()
    return case["text"].encode("utf-8", "surrogatepass") if "text" in case else None


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_hostile_record_is_cheap(case, json_events, text_events):
    value = value_of(case)
    ordinary = text_events if value and value.lstrip().startswith(b"[2") else json_events
    assert ratio(value, case["source"], unpacked_size(value or b""), ordinary) <= FACTOR
