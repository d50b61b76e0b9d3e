"""What the fuzzer starts from: the samples, the envelopes and the hostile corpus, and the words in them."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SOURCES = Path(__file__).parents[1] / "connectors/sources"
LARGEST = 8192
"""Bytes; a larger seed only makes the fuzzer slow."""


def rows(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text().splitlines() if line]


def samples(kind: str) -> Iterator[bytes]:
    """Yield the records of `kind` in the tests' data."""
    for row in rows(SOURCES / f"data/{kind}.jsonl"):
        if "record" in row:
            yield json.dumps(row["record"]).encode()


def envelopes(kind: str | None) -> Iterator[bytes]:
    """Yield the envelope samples of `kind`, or of all."""
    for path in sorted((SOURCES / "envelopes").glob("*.jsonl")):
        for row in rows(path):
            if kind is None or row["source"] == kind:
                yield base64.b64decode(row["base64"]) if "base64" in row else row["text"].encode()


def hostile(kind: str | None) -> Iterator[bytes]:
    """Yield the hostile cases of `kind`, or of all, that are given as they are."""
    for row in rows(SOURCES / "hostile/cases.jsonl"):
        if kind is not None and row["source"] != kind:
            continue
        if "hex" in row:
            yield bytes.fromhex(row["hex"])
        elif "text" in row:
            yield row["text"].encode("utf-8", "surrogatepass")
        elif "gzip" in row:
            yield b"".join(gzip.compress(member.encode(), mtime=0) for member in row["gzip"])


def write(values: Iterator[bytes], folder: Path) -> int:
    """Write each value that is not too large into `folder`; return how many."""
    kept = sorted({value for value in values if len(value) <= LARGEST})
    for number, value in enumerate(kept):
        (folder / f"seed-{number:04d}").write_bytes(value)
    return len(kept)


def dictionary(values: Iterator[bytes], path: Path) -> None:
    """Write the keys and the punctuation of the seeds as a libFuzzer dictionary."""
    words = {found for value in values for found in re.findall(rb'"[A-Za-z0-9_.:/-]{1,40}":', value)}
    marks = {
        b"H4sI",
        b"[Truncated...]",
        b"\xef\xbb\xbf",
        b"\x1f\x8b",
        b"2026-11-20T08:15:30Z",
        b" stdout F ",
        b"\\ud800",
    }
    lines = [re.sub(rb'[^ -~]|["\\]', lambda m: b"\\x%02x" % m[0][0], word) for word in sorted(words | marks)]
    path.write_bytes(b"".join(b'"' + line + b'"\n' for line in lines))
