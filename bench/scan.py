"""`davylamp scan` against bare orjson decode of the same file: ratio of events per second of CPU time.

Run `python bench/scan.py [FILE] [--source KIND] [--events N] [--rounds R] [--json]`. Without a file it writes
events of its own into a temporary folder: CloudTrail of about 1.2 KB, else the demo's traffic. The two are
measured in turns inside one process with the shipped rules. The figures are a measurement, never a test.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from config.detection import Detection
from connectors.sources.catalogue import KINDS
from daemon.demo.traffic import istio_access, kubernetes_audit, vault_audit
from daemon.demo.traffic.platform import build
from daemon.demo.traffic.record import DAY_S, seeded
from daemon.demo.traffic.vault_audit import VaultIdentity
from daemon.garbage import settle
from daemon.ruleset import ruleset
from daemon.scanning import Tally, scan
from detectors.finding import rfc3339

ACTIONS = ("GetObject", "AssumeRole", "DescribeInstances", "ListBuckets", "PutObject", "Decrypt")
LEARNING_S = 7 * 86400.0


def event(number: int) -> dict[str, object]:
    """Return one CloudTrail event; one in 2,000 stops the trail."""
    role, account = f"service-{number % 97}", f"{100_000_000_000 + number % 40}"
    stops = number % 2000 == 1999
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": f"AROAEXAMPLE{number % 997:09d}:{role}",
            "arn": f"arn:aws:sts::{account}:assumed-role/{role}/session-{number % 13}",
            "accountId": account,
            "accessKeyId": f"ASIAEXAMPLE{number % 997:09d}",
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "arn": f"arn:aws:iam::{account}:role/{role}"},
                "attributes": {"creationDate": "2026-05-01T00:00:00Z", "mfaAuthenticated": "false"},
            },
        },
        "eventTime": rfc3339(1_780_000_000 + number / 50)[:19] + "Z",
        "eventSource": "cloudtrail.amazonaws.com" if stops else "s3.amazonaws.com",
        "eventName": "StopLogging" if stops else ACTIONS[number % len(ACTIONS)],
        "awsRegion": ("eu-west-1", "us-east-1")[number % 2],
        "sourceIPAddress": f"10.{number % 7}.{number % 251}.{number % 241}",
        "userAgent": "Boto3/1.34.0 md/Botocore#1.34.0 ua/2.0 os/linux#6.1 md/arch#x86_64 lang/python#3.11",
        "requestParameters": {"bucketName": f"terraminer-{number % 31}", "key": f"tiles/{number}.parquet"},
        "responseElements": None,
        "additionalEventData": {"SignatureVersion": "SigV4", "x-amz-id-2": "A" * 76},
        "requestID": f"REQ{number:013d}",
        "eventID": f"00000000-0000-4000-8000-{number:012d}",
        "readOnly": True,
        "resources": [{"type": "AWS::S3::Object", "ARN": f"arn:aws:s3:::terraminer-{number % 31}/{number}"}],
        "eventType": "AwsApiCall",
        "recipientAccountId": account,
        "eventCategory": "Data",
        "tlsDetails": {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256"},
    }


def write(path: Path, count: int) -> None:
    """Write `count` events as JSON Lines."""
    with path.open("wb") as file:
        for number in range(count):
            file.write(orjson.dumps(event(number)) + b"\n")


def write_week(path: Path, kind: str, count: int) -> None:
    """Write events of the demo's ordinary week, one JSON object a line: what is one, without envelopes."""
    platform, end = build(7), 1_780_000_000.0
    begin, chance = end - 8 * DAY_S, seeded(kind, 7)
    if kind == "istio_access":
        records = istio_access.records(platform, chance, begin, end, count)
    elif kind == "kubernetes_audit":
        records = kubernetes_audit.records(platform, chance, begin, end, count)
    else:
        identities = {
            w.key: VaultIdentity(w.name, w.name, w.name, ("default",), {"role": w.name})
            for w in platform.workloads
        }
        records = vault_audit.records(platform, identities, chance, begin, end, count)
    lines = (line for record in records for line in record.value.split(b"\n"))
    with path.open("wb") as file:
        file.writelines(line + b"\n" for line in lines if line.startswith(b'{"') and b'"items":' not in line)


def decode(path: Path) -> int:
    """Decode every line and nothing else; return how many. Lines that are not JSON count as well."""
    opened: Callable[..., Any] = gzip.open if path.suffix == ".gz" else open
    count = 0
    with opened(path, "rb") as file:
        for line in file:
            count += 1
            try:
                orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
    return count


def measure(path: Path, kind: str, rounds: int) -> dict[str, object]:
    """Measure both in turns; return rates, the ratio's median and spread, and what the scan found."""
    rules = ruleset(Detection())
    settle()
    decoding: list[float] = []
    scanning: list[float] = []
    findings, tally = 0, Tally()
    for _ in range(rounds):
        began = time.process_time()
        decode(path)
        middle = time.process_time()
        tally = Tally()
        findings = sum(1 for _ in scan([path], kind, rules, learning_s=LEARNING_S, tally=tally))
        scanning.append(time.process_time() - middle)
        decoding.append(middle - began)
    ratios = [plain / whole for plain, whole in zip(decoding, scanning, strict=True)]
    return {
        "source": kind,
        "bytes": path.stat().st_size,
        "events": tally.events,
        "rejected": dict(tally.rejected),
        "findings": findings,
        "rules": len(rules.rules),
        "correlations": len(rules.correlations),
        "rounds": rounds,
        "decode_us_per_event": statistics.median(decoding) / tally.events * 1e6,
        "scan_us_per_event": statistics.median(scanning) / tally.events * 1e6,
        "ratio": {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios)},
    }


def show(figures: dict[str, Any]) -> None:
    """Print the table."""
    ratio = figures["ratio"]
    counted = [f"{figures[name]} {name}" for name in ("events", "rules", "findings")]
    print(f"{figures['source']}: {', '.join(counted)}")
    print(f"  bare orjson decode  {figures['decode_us_per_event']:8.2f} us of CPU an event")
    print(f"  davylamp scan       {figures['scan_us_per_event']:8.2f} us of CPU an event")
    print(f"  ratio               {ratio['median']:8.2f}   ({ratio['min']:.2f} to {ratio['max']:.2f})")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--source", choices=KINDS, default="cloudtrail")
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = given.file or Path(folder) / "events.jsonl"
        if given.file is None:
            if given.source == "cloudtrail":
                write(path, given.events)
            else:
                write_week(path, given.source, given.events)
        figures = measure(path, given.source, given.rounds)
    print(json.dumps(figures)) if given.json else show(figures)


if __name__ == "__main__":
    main()
