"""Kafka to findings: CPU an event of the detect role against bare `getmany` + orjson on the same broker.

Run `python bench/kafka_to_findings.py [--events N] [--runs R] [--json]`. Needs the demo's broker wheel.
Each measurement is a process of its own; the clock is its CPU time from the first assignment to the
last commit, so start-up and joining do not count. The figures are a measurement, never a test.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition
from prometheus_client import CollectorRegistry

from config.settings import Settings
from connectors.kafka.client import consumer_options, producer_options
from connectors.kafka.topics import create_topics
from daemon.demo.parts.broker import BrokerPart
from daemon.roles.detect import run
from daemon.runtime import Health, Runtime
from detectors.finding import rfc3339

TOPIC = "aws.cloudtrail"
PARTITIONS = 4
ACTIONS = (
    "GetObject",
    "AssumeRole",
    "DescribeInstances",
    "ListBuckets",
    "PutObject",
    "Decrypt",
    "GetSecretValue",
)


def event(number: int) -> dict[str, object]:
    """Return one CloudTrail event of about 1.8 KB; one in 2,000 stops the trail."""
    account = f"{100_000_000_000 + number % 40}"
    action = "StopLogging" if number % 2000 == 1999 else ACTIONS[number % len(ACTIONS)]
    role = f"service-{number % 97}"
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": f"AROAEXAMPLE{number % 997:09d}:{role}",
            "arn": f"arn:aws:sts::{account}:assumed-role/{role}/session-{number % 13}",
            "accountId": account,
            "accessKeyId": f"ASIAEXAMPLE{number % 997:09d}",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "arn": f"arn:aws:iam::{account}:role/{role}",
                    "accountId": account,
                    "userName": role,
                },
                "attributes": {"creationDate": "2026-05-01T00:00:00Z", "mfaAuthenticated": "false"},
            },
        },
        "eventTime": rfc3339(1_780_000_000 + number / 50)[:19] + "Z",
        "eventSource": "cloudtrail.amazonaws.com" if action == "StopLogging" else "s3.amazonaws.com",
        "eventName": action,
        "awsRegion": ("eu-west-1", "us-east-1")[number % 2],
        "sourceIPAddress": f"10.{number % 7}.{number % 251}.{number % 241}",
        "userAgent": "Boto3/1.34.0 md/Botocore#1.34.0 ua/2.0 os/linux#6.1 md/arch#x86_64 lang/python#3.11",
        "requestParameters": {
            "bucketName": f"terraminer-{number % 31}",
            "key": f"tiles/{number % 1009}/{number}.parquet",
            "Host": "s3.eu-west-1.amazonaws.com",
            "x-id": action,
        },
        "responseElements": None,
        "additionalEventData": {
            "SignatureVersion": "SigV4",
            "CipherSuite": "TLS_AES_128_GCM_SHA256",
            "bytesTransferredIn": 0,
            "bytesTransferredOut": number % 100_000,
            "x-amz-id-2": "A" * 76,
        },
        "requestID": f"REQ{number:013d}",
        "eventID": f"00000000-0000-4000-8000-{number:012d}",
        "readOnly": True,
        "resources": [
            {
                "type": "AWS::S3::Object",
                "ARN": f"arn:aws:s3:::terraminer-{number % 31}/tiles/{number}.parquet",
            },
            {
                "accountId": account,
                "type": "AWS::S3::Bucket",
                "ARN": f"arn:aws:s3:::terraminer-{number % 31}",
            },
        ],
        "eventType": "AwsApiCall",
        "managementEvent": False,
        "recipientAccountId": account,
        "eventCategory": "Data",
        "tlsDetails": {
            "tlsVersion": "TLSv1.3",
            "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": "s3.eu-west-1.amazonaws.com",
        },
    }


async def fill(settings: Settings, count: int) -> int:
    """Produce `count` events; return the mean size in bytes."""
    await create_topics(settings, raw=True, raw_partitions=PARTITIONS)
    producer = AIOKafkaProducer(**producer_options(settings.kafka))
    await producer.start()
    size = 0
    try:
        for number in range(count):
            value = orjson.dumps(event(number))
            size += len(value)
            await producer.send(TOPIC, value, partition=number % PARTITIONS)
        await producer.flush()
    finally:
        await producer.stop()
    return size // max(1, count)


async def bare(settings: Settings, count: int) -> float:
    """Return the CPU seconds of reading and decoding everything."""
    options = consumer_options(settings.kafka, "unused") | {"group_id": None}
    consumer = AIOKafkaConsumer(**options)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(TOPIC, n) for n in range(PARTITIONS)])
        read, began = 0, time.process_time()
        while read < count:
            for records in (await consumer.getmany(timeout_ms=500, max_records=2000)).values():
                for record in records:
                    orjson.loads(record.value)
                read += len(records)
        return time.process_time() - began
    finally:
        await consumer.stop()


async def detect(settings: Settings, count: int) -> float:
    """Return the CPU seconds of the whole role from its first assignment to its last commit."""
    registry = CollectorRegistry()
    runtime = Runtime("detect", Health(time.time, registry), registry, time.time, asyncio.Event())
    task = asyncio.create_task(run(settings, runtime))
    began: float | None = None
    while True:
        await asyncio.sleep(0.01)
        if task.done():
            task.result()
        if began is None:
            began = time.process_time() if runtime.health.started else None
            continue
        status: Any = runtime.status()
        if status["conservation"].get("cloudtrail", {}).get("records:read") == count:
            used = time.process_time() - began
            runtime.stop.set()
            await task
            if status["violations"]:
                raise SystemExit(f"laws broken: {status['violations']}")
            return used


def child(what: str, brokers: str, folder: Path, count: int) -> None:
    """Measure in this process and print one JSON object."""
    settings = settings_of(brokers, folder)
    began = time.perf_counter()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        used = runner.run((bare if what == "bare" else detect)(settings, count))
    wall = time.perf_counter() - began
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu_s": used, "wall_s": wall, "rss_mb": rss}))


def settings_of(brokers: str, folder: Path) -> Settings:
    """Return settings with the defaults of detection and counters in a file."""
    kafka = {"brokers": [brokers], "session_timeout_s": 2, "heartbeat_interval_s": 0.5, "counters": "file"}
    return Settings.model_validate({"state_dir": folder, "kafka": kafka})


def measure(what: str, broker: BrokerPart, folder: Path, count: int, run_number: int) -> dict[str, float]:
    """Run one child; each detect run has a group of its own through a state folder and broker of its own."""
    command = [
        sys.executable,
        __file__,
        "--child",
        what,
        broker.brokers,
        str(folder / str(run_number)),
        str(count),
    ]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output.splitlines()[-1])


def main() -> None:
    """Parse the command line and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--child", nargs=4, metavar=("WHAT", "BROKERS", "FOLDER", "COUNT"), help=argparse.SUPPRESS
    )
    options = parser.parse_args()
    if options.child:
        what, brokers, folder, count = options.child
        child(what, brokers, Path(folder), int(count))
        return
    results: dict[str, list[dict[str, float]]] = {"bare": [], "detect": []}
    size = 0
    with tempfile.TemporaryDirectory() as name:
        for number in range(options.runs):
            broker = BrokerPart(Path(name) / f"broker{number}")
            broker.start()
            try:
                size = asyncio.run(fill(settings_of(broker.brokers, Path(name)), options.events))
                for what in results:
                    results[what].append(measure(what, broker, Path(name), options.events, number))
            finally:
                broker.stop()
    report = summary(results, options.events, size)
    print(json.dumps(report) if options.json else table(report))


def summary(results: dict[str, list[dict[str, float]]], count: int, size: int) -> dict[str, Any]:
    """Return medians and spreads."""
    rows: dict[str, Any] = {}
    for what, runs in results.items():
        each = [run["cpu_s"] / count * 1e6 for run in runs]
        rows[what] = {
            "cpu_us_per_event": round(statistics.median(each), 2),
            "spread_us": [round(min(each), 2), round(max(each), 2)],
            "events_per_s_core": round(1e6 / statistics.median(each)),
            "rss_mb": round(max(run["rss_mb"] for run in runs)),
        }
    ratio = rows["bare"]["cpu_us_per_event"] / rows["detect"]["cpu_us_per_event"]
    return {"events": count, "bytes_per_event": size, "rows": rows, "ratio_to_bare": round(ratio, 3)}


def table(report: dict[str, Any]) -> str:
    """Return the report for people."""
    lines = [f"{report['events']} events of {report['bytes_per_event']} bytes, medians"]
    lines.append(f"{'':28}{'CPU us/event':>14}{'spread':>18}{'events/s/core':>16}{'RSS MB':>9}")
    names = {"bare": "getmany + orjson", "detect": "detect (Kafka to findings)"}
    for what, row in report["rows"].items():
        spread = f"{row['spread_us'][0]}-{row['spread_us'][1]}"
        lines.append(
            f"{names[what]:28}{row['cpu_us_per_event']:>14}{spread:>18}"
            f"{row['events_per_s_core']:>16}{row['rss_mb']:>9}"
        )
    lines.append(f"detect reaches {report['ratio_to_bare']} of bare getmany + orjson")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
