"""From a record's bytes to typed events against bare `orjson.loads` of the same bytes: ratio of CPU time.

Run `python bench/unpack.py [--events N] [--rounds R] [--large] [--json]`: CloudTrail records of about 1.4 KB
and events of the demo's ordinary week; Istio's TEXT lines say what its JSON lines say, and are measured
against decoding these. The two take turns inside one process, the ratio is taken within a round. Target: 1.5.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
from scan_events import event, write_week

from connectors.sources.catalogue import profile
from connectors.sources.envelope import unpack
from daemon.garbage import settle

TARGET = 1.5
AGENT = "aws-sdk-go-v2/1.30.3 os/linux lang/go#1.22.5 md/GOOS#linux md/GOARCH#amd64 api/s3#1.58.2 m/F " * 2
TEXT = (
    '[{start_time}] "{method} {path} {protocol}" {response_code} {response_flags} {response_code_details} '
    '{connection_termination_details} "{upstream_transport_failure_reason}" {bytes_received} {bytes_sent} '
    '{duration} {upstream_service_time} "{x_forwarded_for}" "{user_agent}" "{request_id}" "{authority}" '
    '"{upstream_host}" {upstream_cluster} {upstream_local_address} {downstream_local_address} '
    "{downstream_remote_address} {requested_server_name} {route_name}"
)


def text_line(line: bytes) -> bytes:
    """Return the TEXT twin of a JSON line (Istio's default format of 1.9 and later)."""
    fields = {key: "-" if value is None else value for key, value in orjson.loads(line).items()}
    return TEXT.format(**fields).encode()


def samples(count: int) -> dict[str, tuple[str, list[bytes], list[bytes]]]:
    """Return name -> (source, what is unpacked, what is decoded bare)."""
    cloudtrail = [orjson.dumps({**event(number), "userAgent": AGENT}) for number in range(count)]
    found = {"cloudtrail": ("cloudtrail", cloudtrail, cloudtrail)}
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("kubernetes_audit", "istio_access", "vault_audit"):
            path = Path(folder) / kind
            write_week(path, kind, count)
            lines = path.read_bytes().splitlines()
            found[kind] = (kind, lines, lines)
    lines = found["istio_access"][1]
    found["istio_access TEXT"] = ("istio_access", [text_line(line) for line in lines], lines)
    return found


def cpu(work: Callable[[bytes], object], values: Sequence[bytes]) -> float:
    """Return the CPU seconds of `work` over `values`."""
    began = time.process_time()
    for value in values:
        work(value)
    return time.process_time() - began


def measure(kind: str, values: Sequence[bytes], plain: Sequence[bytes], rounds: int) -> dict[str, Any]:
    """Return sizes, medians in microseconds an event and the ratio with its spread."""
    source = profile(kind)

    def typed(value: bytes) -> object:
        return unpack(value, source, "raw", 0, 7)

    refused = sum(len(unpack(value, source, "raw", 0, 7).events) != 1 for value in values)
    pairs = [(cpu(orjson.loads, plain), cpu(typed, values)) for _ in range(rounds)]
    ratios = [whole / bare for bare, whole in pairs]
    return {
        "events": len(values),
        "not_one_event": refused,
        "bytes": round(sum(map(len, values)) / len(values)),
        "decode_us": statistics.median(bare for bare, _ in pairs) / len(plain) * 1e6,
        "unpack_us": statistics.median(whole for _, whole in pairs) / len(values) * 1e6,
        "ratio": {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios)},
    }


def large() -> dict[str, Any]:
    """Unpack one CloudTrail file of almost 32 MiB; return seconds of CPU and bytes of memory."""
    file = bytearray(b'{"Records":[')
    for number in range(32 * 1024 * 1024 // 1400):
        file += orjson.dumps({**event(number), "userAgent": AGENT}) + b","
    text = bytes(file[:-1] + b"]}")
    del file
    settle()
    before, began = resident(), time.process_time()
    found = unpack(text, profile("cloudtrail"), "raw", 0, 7)
    took = time.process_time() - began
    named = {reject.reason.value: reject.detail for reject in found.rejects}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "bytes": len(text),
        "events": len(found.events),
        "rejects": named,
        "seconds": took,
        "resident_before": before,
        "resident_after": resident(),
        "peak_of_the_process": peak,
    }


def resident() -> int:
    """Return the resident bytes of this process (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def show(name: str, figures: dict[str, Any]) -> None:
    """Print one line of the table."""
    ratio = figures["ratio"]
    print(
        f"{name:<18} {figures['bytes']:>5} B  decode {figures['decode_us']:6.2f} us  "
        f"unpack + event {figures['unpack_us']:6.2f} us  ratio {ratio['median']:.2f} "
        f"({ratio['min']:.2f} to {ratio['max']:.2f})"
    )


def main() -> None:
    """Measure and print. Exits 1 when a sample is not read as one event: the figures would be of nothing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--large", action="store_true", help="one file of 32 MiB instead")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    settle()
    if given.large:
        print(json.dumps(large(), indent=None if given.json else 2))
        return
    found = samples(given.events)
    figures = {name: measure(*row, given.rounds) for name, row in found.items()}
    if given.json:
        print(json.dumps({"target": TARGET, "sources": figures}))
    else:
        for name, row in figures.items():
            show(name, row)
    sys.exit(any(row["not_one_event"] for row in figures.values()))


if __name__ == "__main__":
    main()
