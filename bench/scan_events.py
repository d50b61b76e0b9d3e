"""Events to measure with: CloudTrail of about 1.2 KB, and the demo's ordinary week of the other sources."""

from __future__ import annotations

from pathlib import Path

import orjson

from daemon.demo.traffic import istio_access, kubernetes_audit, vault_audit
from daemon.demo.traffic.platform import build
from daemon.demo.traffic.record import DAY_S, seeded
from daemon.demo.traffic.vault_audit import VaultIdentity
from detectors.finding import rfc3339

ACTIONS = ("GetObject", "AssumeRole", "DescribeInstances", "ListBuckets", "PutObject", "Decrypt")


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
