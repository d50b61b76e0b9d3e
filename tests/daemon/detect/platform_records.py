"""Records of the four sources for these tests, numbered, so that every one is told apart."""

from __future__ import annotations

import random
from collections.abc import Iterator

import orjson

from detectors.finding import rfc3339

START = 1_780_000_000.0
TOPICS = ("aws.cloudtrail", "k8s.audit", "istio.access", "vault.audit")


def cloudtrail(number: int, name: str = "GetObject") -> dict[str, object]:
    """Return one CloudTrail event."""
    return {
        "eventVersion": "1.11",
        "eventID": f"00000000-0000-4000-8000-{number:012d}",
        "eventTime": rfc3339(START + number / 10)[:19] + "Z",
        "eventSource": "cloudtrail.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-cli/2",
        "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::123456789012:user/u{number % 7}"},
        "requestParameters": {"name": "main"},
        "recipientAccountId": "123456789012",
    }


def vault_read(number: int, entity: int, role: int) -> dict[str, object]:
    """Return the response line of a database credential read."""
    return {
        "time": rfc3339(START + number / 10),
        "type": "response",
        "auth": {"entity_id": f"entity-{entity}", "accessor": f"hmac-sha256:{entity}", "display_name": "app"},
        "request": {
            "id": f"00000000-0000-4000-9000-{number:012d}",
            "operation": "read",
            "path": f"database/static-creds/role-{role}",
            "remote_address": "10.0.0.9",
            "mount_type": "database",
        },
        "response": {"data": {"username": "hmac-sha256:x"}},
    }


def records(count: int, seed: int = 1) -> Iterator[tuple[str, int, bytes]]:
    """Give (topic, partition, value): single events, envelopes, attacks, unreadable and empty values."""
    draw = random.Random(seed)
    number = 0
    for _ in range(count):
        kind = draw.random()
        number += 1
        if kind < 0.5:
            name = "StopLogging" if draw.random() < 0.1 else "GetObject"
            yield TOPICS[0], number % 4, orjson.dumps(cloudtrail(number, name))
        elif kind < 0.6:
            many = [cloudtrail(number + step, "GetObject") for step in range(3)]
            number += 3
            yield TOPICS[0], number % 4, orjson.dumps({"Records": many})
        elif kind < 0.9:
            read = vault_read(number, draw.randrange(5), draw.randrange(3))
            yield TOPICS[3], number % 2, orjson.dumps(read)
        elif kind < 0.95:
            yield TOPICS[1], number % 4, b'{"kind": "no event"}'
        elif kind < 0.98:
            yield TOPICS[0], number % 4, b"\xff\xfe{ not utf-8"
        else:
            yield TOPICS[2], number % 4, b""
