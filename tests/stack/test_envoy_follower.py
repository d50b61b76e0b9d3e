"""From the proxies' log files into Kafka, as a log agent brings them: every line, in order, once."""

from __future__ import annotations

from pathlib import Path

import pytest
from parts.audit_webhook_kafka import ConfirmedTopic, new_topic, records_of
from parts.envoy import EnvoyPart
from parts.envoy_access import WEB
from parts.envoy_log import Follower, LogTail
from parts.kafka import KafkaPart

from connectors.sources.catalogue import profile
from connectors.sources.envelope import unpack


@pytest.fixture
def topic(kafka: KafkaPart) -> str:
    """A new topic of one partition, so that its order can be seen."""
    return new_topic(kafka.brokers, "istio.access", 1)


@pytest.mark.claim("access log lines reach istio.access whole, in order, once")
def test_lines_reach_kafka(envoy: EnvoyPart, kafka: KafkaPart, topic: str) -> None:
    follower = Follower(envoy.json_log("server"), ConfirmedTopic(kafka.brokers, topic))
    written = LogTail(envoy.json_log("server"))
    follower.start()
    for n in range(50):
        assert envoy.request(WEB, f"/followed/{n}") == 200
    lines = written.wait(count=50)
    follower.stop()
    records = records_of(kafka.brokers, topic, 1)
    assert records == lines
    assert (follower.shipped, follower.refused) == (50, 0)
    read = [unpack(value, profile("istio_access"), topic, 0, n) for n, value in enumerate(lines)]
    assert [e.fields["path"] for one in read for e in one.events] == [f"/followed/{n}" for n in range(50)]


def test_a_line_that_is_being_written_waits(tmp_path: Path) -> None:
    log = tmp_path / "access.jsonl"
    log.write_bytes(b"old\n")
    tail = LogTail(log)
    with log.open("ab") as file:
        file.write(b"one\ntw")
        file.flush()
        assert tail.lines() == [b"one"]
        file.write(b"o\n\nthree\r\n")
        file.flush()
    assert tail.peek() == [b"two", b"", b"three\r"]
    assert tail.lines() == [b"two", b"", b"three\r"]
    assert tail.lines() == []
