"""What the stream's benchmarks read: the four sources mixed, on real topics of a real broker.

CloudTrail records of about 1.8 KB and the demo's ordinary week of the other three, an event a record; every
event is another one. Rules fire about as often as on public records (`bench/engines.py`: 1.8 % of the calls,
5.4 % of the audit log): of audit lines on which SigmaHQ's rules fire for what every cluster does (tokens of
service accounts, patches of deployments) one in three is kept, and one CloudTrail call in 55 names the type
of its session's issuer, on which a rule fires for any role. The calls have the names and shares of public
records (`_NAMES`): fewer than one in a hundred are of those that correlations count. A fifth of the vault's
lines reads a credential.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Final

import orjson
from confluent_kafka import Producer
from kafka_to_findings import event
from scan_events import write_week

from config.settings import Settings
from connectors.kafka.topics import create_topics

SHARES: Final = {
    "aws.cloudtrail": 0.25,
    "k8s.audit": 0.35,
    "istio.access": 0.30,
    "vault.audit": 0.10,
}
PARTITIONS: Final = 4
_WEEK: Final = {"k8s.audit": "kubernetes_audit", "istio.access": "istio_access", "vault.audit": "vault_audit"}
_TIMEOUT_S: Final = 120
_SURPLUS: Final = 1.4
"""The week's generators also give envelopes and text lines, which are left out here."""
_CALLS: Final = 25
_NAMES: Final = (
    ("s3", "PutObject", 511),
    ("s3", "GetBucketAcl", 229),
    ("kms", "GenerateDataKey", 189),
    ("s3", "HeadBucket", 11),
    ("sts", "AssumeRole", 7),
    ("kms", "Decrypt", 6),
    ("ssm", "DescribeInstanceInformation", 4),
    ("ssm", "DescribeParameters", 3),
    ("ec2", "GetPasswordData", 3),
    ("kms", "Encrypt", 2),
    ("ssm", "GetParameter", 2),
    ("ssm", "PutParameter", 3),
    ("ssm", "ListTagsForResource", 2),
    ("ec2", "DescribeRouteTables", 2),
    ("ec2", "DescribeNatGateways", 2),
    ("ec2", "DescribeInstances", 1),
    ("ec2", "DescribeVpcs", 1),
    ("secretsmanager", "GetSecretValue", 2),
    ("iam", "GetUser", 20),
)
"""Service, call, how many of a thousand: of 200,000 public CloudTrail records, the rarer ones as the last."""
_THOUSAND: Final = [(service, name) for service, name, share in _NAMES for _ in range(share)]
_STRIDE: Final = 377
"""Has no divisor in common with a thousand: the names come mixed."""
_UUID: Final = re.compile(rb"[0-9a-f]{8}(?=-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")
_LOUD: Final = re.compile(rb'"verb":"(create|patch)".*"resource":"(serviceaccounts|deployments)"')
Message = tuple[str, bytes]


@cache
def messages(count: int) -> Sequence[Message]:
    """Return about `count` records as (topic, value), the sources spread evenly over each other."""
    each = {topic: values(topic, round(count * share)) for topic, share in SHARES.items()}
    places = [
        ((number + 0.5) / len(found), topic, value)
        for topic, found in each.items()
        for number, value in enumerate(found)
    ]
    return [(topic, value) for _, topic, value in sorted(places)]


def values(topic: str, count: int) -> list[bytes]:
    """Return `count` events of a topic, each one record."""
    if topic not in _WEEK:
        return [orjson.dumps(_cloudtrail(number)) for number in range(count)]
    made = min(count, 20_000)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / topic
        write_week(path, _WEEK[topic], round(made * _SURPLUS))
        found = path.read_bytes().splitlines()
    return list(islice(_distinct([*_thinned(map(_settled, found))]), count))


def _cloudtrail(number: int) -> dict[str, Any]:
    """Return `event` by a session of 25 calls, in most cases without the type of the session's issuer."""
    made: dict[str, Any] = event(number)
    by: Any = event(number // _CALLS)["userIdentity"]
    made["userIdentity"] = by
    if made["eventName"] != "StopLogging":
        service, made["eventName"] = _THOUSAND[number * _STRIDE % len(_THOUSAND)]
        made["eventSource"] = f"{service}.amazonaws.com"
    if number % 55:
        del made["userIdentity"]["sessionContext"]["sessionIssuer"]["type"]
    return made


def _settled(value: bytes) -> bytes:
    """Let a vault client keep its token, as clients do: the week has a new one for every request."""
    line = orjson.loads(value)
    auth = line.get("auth")
    if isinstance(auth, dict) and "accessor" in auth:
        client = f"{auth.get('entity_id')} {line['request'].get('remote_address')}"
        auth["accessor"] = f"hmac-sha256:{hashlib.sha256(client.encode()).hexdigest()}"
        return orjson.dumps(line)
    return value


def _thinned(found: Iterable[bytes]) -> Iterator[bytes]:
    """Leave out two of three lines that fire rules in every cluster."""
    seen = 0
    for value in found:
        if _LOUD.search(value):
            seen += 1
            if seen % 3:
                continue
        yield value


def _distinct(found: Sequence[bytes]) -> Iterator[bytes]:
    """Give `found` again and again, each time with other request ids."""
    turn = 0
    while True:
        for value in found:
            yield _UUID.sub(b"%08x" % turn, value) if turn else value
        turn += 1


def fill(brokers: str, found: Sequence[Message], rate: float = 0.0) -> None:
    """Write records round robin to the partitions; returns when all are confirmed."""
    producer = Producer(
        {
            "bootstrap.servers": brokers,
            "acks": "all",
            "linger.ms": 20,
            "queue.buffering.max.messages": 500_000,
        }
    )
    for number, (topic, value) in enumerate(found):
        while True:
            try:
                producer.produce(topic, value, partition=number % PARTITIONS)
                break
            except BufferError:
                producer.poll(0.1)
        if number % 1000 == 0:
            producer.poll(0)
    if producer.flush(_TIMEOUT_S):
        raise SystemExit("the broker did not take all records")


def make_topics(settings: Settings) -> None:
    """Make the raw topics and Davylamp's own."""
    asyncio.run(create_topics(settings, raw=True, raw_partitions=PARTITIONS))
