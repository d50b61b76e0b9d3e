"""Raw records of the four sources, numbered: single events, envelopes, attacks, unreadable and empty ones."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Final

import orjson

from detectors.finding import rfc3339

Record = tuple[str, int, bytes]
"""Topic, partition, value."""

START: Final = 1_780_000_000.0
CLOUDTRAIL: Final = "aws.cloudtrail"
KUBERNETES: Final = "k8s.audit"
ISTIO: Final = "istio.access"
VAULT: Final = "vault.audit"
STOPPED: Final = "StopLogging"


def cloudtrail(number: int, name: str = "GetObject") -> dict[str, Any]:
    """Return one CloudTrail event; `StopLogging` is one that a rule finds."""
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


def vault_read(number: int, entity: int, role: int) -> dict[str, Any]:
    """Return the response line of a database credential read, which makes a flow."""
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


def mixture(count: int, seed: int = 1) -> Iterator[Record]:
    """Give `count` records as (topic, partition, value); the same for the same seed."""
    draw = random.Random(seed)
    number = 0
    for _ in range(count):
        kind = draw.random()
        number += 1
        if kind < 0.5:
            name = STOPPED if draw.random() < 0.1 else "GetObject"
            yield CLOUDTRAIL, number % 4, orjson.dumps(cloudtrail(number, name))
        elif kind < 0.6:
            many = [cloudtrail(number + step) for step in range(3)]
            number += 3
            yield CLOUDTRAIL, number % 4, orjson.dumps({"Records": many})
        elif kind < 0.9:
            yield VAULT, number % 4, orjson.dumps(vault_read(number, draw.randrange(5), draw.randrange(3)))
        elif kind < 0.95:
            yield KUBERNETES, number % 4, b'{"kind": "no event"}'
        elif kind < 0.98:
            yield CLOUDTRAIL, number % 4, b"\xff\xfe{ not utf-8"
        else:
            yield ISTIO, number % 4, b""
