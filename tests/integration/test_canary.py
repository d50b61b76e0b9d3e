"""A planted secret stands in no log, row, page, topic, metric or document."""

from __future__ import annotations

import re
import time
from pathlib import Path

import httpx
import hvac
import orjson
import pytest
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from connectors.kafka.topics import INTERNAL

pytestmark = pytest.mark.integration

CANARY = "Kx7canaryQ2w9Zr5Lt8Vn3"
PLANTED = {
    "vault token": f"hvs.{CANARY}AAAAAAAAAAAAAAAA",
    "old vault token": f"s.{CANARY}BB",
    "jwt": f"eyJhbGciOiJSUzI1NiJ9.eyJzdWIi{CANARY}.c2lnbmF0dXJl{CANARY}",
}
AT = "2026-01-01T00:00:00Z"


def cloudtrail() -> bytes:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    record = {
        "eventVersion": "1.11",
        "eventTime": now,
        "eventSource": "iam.amazonaws.com",
        "eventName": "CreateAccessKey",
        "awsRegion": "eu-central-1",
        "sourceIPAddress": "198.51.100.7",
        "userAgent": f"curl/8 token={PLANTED['vault token']}",
        "userIdentity": {
            "type": "IAMUser",
            "arn": "arn:aws:iam::111122223333:user/mallory",
            "userName": "mallory",
            "accountId": "111122223333",
            "principalId": "AIDAEXAMPLE",
        },
        "requestParameters": {"userName": "victim", "password": CANARY, "note": PLANTED["jwt"]},
        "responseElements": {"accessKey": {"accessKeyId": "AKIAEXAMPLE", "secretAccessKey": CANARY}},
        "eventID": "0a0a0a0a-0000-4000-8000-000000000001",
        "eventType": "AwsApiCall",
        "eventCategory": "Management",
    }
    return orjson.dumps(record)


async def produce(brokers: str, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=brokers)
    await producer.start()
    try:
        await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


async def everything_in(brokers: str, topics: tuple[str, ...]) -> dict[str, bytes]:
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, enable_auto_commit=False)
    await consumer.start()
    try:
        await consumer._client.force_metadata_update()
        held: dict[str, bytes] = {}
        for topic in topics:
            places = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic) or ()]
            if not places:
                continue
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            await consumer.seek_to_beginning(*places)
            chunks: list[bytes] = []
            while any([await consumer.position(place) < ends[place] for place in places]):
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    chunks += [(r.key or b"") + (r.value or b"") + repr(r.headers).encode() for r in records]
            held[topic] = b"\n".join(chunks)
        return held
    finally:
        await consumer.stop()


def secret_files(folder: Path) -> dict[str, str]:
    """The demo's own secrets, as it wrote them for the roles."""
    names = ("vault-token", "observer-password", "pager-bearer")
    return {name: (folder / "davylamp" / name).read_text().strip() for name in names}


def served(config: dict, token: str) -> dict[str, str]:
    client = hvac.Client(url=config["vault"]["address"], token=token)
    found = {}
    for target in config["response"]["targets"]:
        answer = client.secrets.database.get_static_credentials(target["name"])
        found[f"password of {target['name']}"] = answer["data"]["password"]
    client.session.close()
    return found


def pages(base: str) -> dict[str, bytes]:
    held: dict[str, bytes] = {}
    todo = ["/"]
    with httpx.Client(base_url=base, timeout=10) as client:
        while todo:
            path = todo.pop()
            answer = client.get(path)
            held[path] = answer.content + str(dict(answer.headers)).encode()
            for link in re.findall(r'href="(/[^"#?]*)"', answer.text):
                if link not in held and link not in todo:
                    todo.append(link)
    return held


def health(ports: dict[str, int]) -> dict[str, bytes]:
    return {
        f"{what} of {role}": httpx.get(f"http://127.0.0.1:{port}/{what}", timeout=10).content
        for role, port in ports.items()
        for what in ("metrics", "status", "readyz")
    }


def holds(files: Path, pattern: str, text: bytes) -> bool:
    return any(text in file.read_bytes() for file in files.rglob(pattern))


async def test_no_planted_secret_stands_in_any_output(demo):
    run = demo()
    document = run.document()
    assert document["proof"]["grade"] == "A"
    folder = run.folder
    config = yaml.safe_load((folder / "davylamp" / "davylamp.yaml").read_text())
    brokers = config["kafka"]["brokers"][0]

    await produce(brokers, "aws.cloudtrail", cloudtrail())
    await produce(brokers, "aws.cloudtrail", b'{"broken": "' + PLANTED["vault token"].encode())
    siem = folder / "davylamp" / "siem"
    run.wait_for(
        lambda: any(b"0a0a0a0a-0000" in f.read_bytes() for f in siem.rglob("*.jsonl*")), "the document"
    )
    run.wait_for(lambda: holds(siem.parent, "davylamp.sqlite*", b"mallory"), "the incident")

    own = secret_files(folder)
    wanted = {**PLANTED, "canary": CANARY, **own, **served(config, own["vault-token"])}
    outputs: dict[str, bytes] = {f"topic {k}": v for k, v in (await everything_in(brokers, INTERNAL)).items()}
    base = f"http://127.0.0.1:{config['web']['port']}"
    outputs |= {f"page {k}": v for k, v in pages(base).items()}
    outputs |= health(config["operation"]["health_ports"])
    run.interrupt()
    outputs |= {
        f"file {path.relative_to(folder)}": path.read_bytes()
        for path in (folder / "davylamp").rglob("*")
        if path.is_file() and path.name not in (*own, "pager-url")
    }
    outputs["standard error"] = "".join(run.lines).encode()
    outputs["standard output"] = "".join(run.output()).encode()

    assert len(outputs) > 30
    leaks = {
        (name, place)
        for name, secret in wanted.items()
        for place, data in outputs.items()
        if secret.encode() in data
    }
    assert leaks == set()
