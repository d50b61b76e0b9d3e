"""From the API server over its audit webhook into Kafka: every event, the server's own batches, confirmed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

import httpx
import pytest
from parts.audit_webhook import MAX_BATCH_BYTES, AuditWebhook, Collected
from parts.audit_webhook_kafka import ConfirmedTopic, NotConfirmedError, new_topic, records_of
from parts.kafka import KafkaPart
from parts.kubernetes import KubernetesPart
from parts.kubernetes_audit_trail import AuditTrail, audited, stage_of

from connectors.sources.catalogue import profile
from connectors.sources.envelope import unpack
from daemon.demo.parts.ports import free_port

KUBERNETES = profile("kubernetes_audit")


@pytest.fixture
def topic(kafka: KafkaPart) -> str:
    """A new topic of two partitions."""
    return new_topic(kafka.brokers, "k8s.audit", 2)


@pytest.fixture
def webhook() -> Iterator[AuditWebhook]:
    """A receiver of its own, which nothing but the test posts to."""
    receiver = AuditWebhook()
    receiver.start()
    yield receiver
    receiver.stop()


def calls(server: KubernetesPart, count: int) -> set[str]:
    """Make some calls; return their audit ids as the server answered them."""
    answers = [server.call("GET", f"/api/v1/namespaces/default/pods?n={n}") for n in range(count)]
    return {answer.headers["Audit-Id"] for answer in answers}


@pytest.mark.claim("audit events reach k8s.audit in the API server's own batches, all of them, byte for byte")
def test_batches_reach_kafka(kubernetes: KubernetesPart, kafka: KafkaPart, topic: str) -> None:
    sink = ConfirmedTopic(kafka.brokers, topic)
    with kubernetes.webhook.into(sink), audited(kubernetes) as trail:
        made = calls(kubernetes, 300)
        filed = trail.filed()  # watches of the server's own go on, also when nobody listens any more
    records = records_of(kafka.brokers, topic, 2)
    assert set(trail.seen.batches) <= set(records)
    assert sink.confirmed == len(records)
    read = [unpack(value, KUBERNETES, topic, 0, offset) for offset, value in enumerate(records)]
    assert [reject for one in read for reject in one.rejects] == []
    stages = [stage_of(dict(event.fields)) for one in read for event in one.events]
    assert made <= {stage.audit_id for stage in stages if stage.stage == "ResponseComplete"}
    assert {stage_of(event) for event in filed} <= set(stages) and len(stages) == len(set(stages))


@pytest.mark.claim("a batch that was refused is sent again by the API server: a short outage loses nothing")
def test_a_refused_batch_comes_again(kubernetes: KubernetesPart) -> None:
    refusals = iter(range(2))

    def broken_at_first(_batch: bytes) -> None:
        if next(refusals, None) is not None:
            raise NotConfirmedError("the broker is away")

    before = kubernetes.webhook.refused
    trail = AuditTrail(kubernetes)
    with kubernetes.webhook.into(broken_at_first), kubernetes.webhook.into(trail.seen):
        made = calls(kubernetes, 20)
        trail.settle()
    assert kubernetes.webhook.refused == before + 2
    assert made <= {event["auditID"] for event in trail.seen.events()}


@pytest.mark.parametrize(
    ("size", "status"), [(0, 413), (20, 200), (MAX_BATCH_BYTES + 1, 413)], ids=["empty", "small", "too large"]
)
def test_the_receiver_bounds_what_it_reads(webhook: AuditWebhook, size: int, status: int) -> None:
    seen = Collected()
    connection = HTTPConnection(urlsplit(webhook.url).netloc, timeout=10)
    with webhook.into(seen), closing(connection):
        connection.putrequest("POST", "/audit")
        connection.putheader("Content-Length", str(size))
        connection.endheaders(b"x" * size if size <= MAX_BATCH_BYTES else None)
        assert connection.getresponse().status == status
    assert [len(batch) for batch in seen.batches] == ([size] if status == 200 else [])


def test_a_broker_that_is_away_is_said(webhook: AuditWebhook) -> None:
    sink = ConfirmedTopic(f"127.0.0.1:{free_port()}", "k8s.audit", confirm_s=1.0)
    with webhook.into(sink):
        assert httpx.post(webhook.url, content=b"{}", trust_env=False, timeout=20).status_code == 503
    assert (webhook.refused, webhook.batches, sink.confirmed) == (1, 0, 0)


def test_what_nobody_wants_is_counted(webhook: AuditWebhook) -> None:
    assert httpx.post(webhook.url, content=b"{}", trust_env=False).status_code == 200
    assert (webhook.batches, webhook.dropped) == (1, 1)
