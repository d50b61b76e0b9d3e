"""Delivery in bulk against a double of the endpoint (see `conftest.py`): every document ends by name."""

from __future__ import annotations

import pytest

from connectors.ecs.stream import Document
from connectors.siem.bulk_siem import BulkSiem
from connectors.siem.cluster import Cluster
from connectors.siem.elasticsearch import ELASTICSEARCH
from connectors.siem.target import RefusedError, TargetAwayError

STREAM = "logs-davylamp.events-default"
BUSY = {"status": 429, "error": {"type": "es_rejected_execution_exception"}}
BAD = {
    "status": 400,
    "error": {
        "type": "document_parsing_exception",
        "reason": "[1:50] failed to parse field [source.ip] of type [ip] in document with id 'e2'. "
        "Preview of field's value: 'hunter2'",
    },
}


def documents(count, filler=""):
    return [
        Document.of("events", f"e{n}", {"event": {"id": f"e{n}"}, "message": filler}, "default", 0.0)
        for n in range(count)
    ]


def siem_of(urls, *, compress=False, timeout_s=5.0, sleep=None):
    slept: list[float] = []

    async def note(seconds):
        slept.append(seconds)

    cluster = Cluster(
        "es",
        urls,
        authorization=lambda: "ApiKey key",
        identify=ELASTICSEARCH.identify,
        timeout_s=timeout_s,
        compress=compress,
    )
    found = BulkSiem(
        cluster, ELASTICSEARCH, "default", jitter=lambda: 1.0, max_bulk_bytes=64 * 1024, sleep=sleep or note
    )
    return found, slept


@pytest.fixture
async def siem(double):
    found, found.slept = siem_of([double.url])
    await found.open()
    yield found
    await found.close()


def endings(outcomes):
    return [outcome.ending for outcome in outcomes]


async def test_documents_are_created_once(double, siem):
    assert endings(await siem.deliver(documents(3))) == ["delivered"] * 3
    assert endings(await siem.deliver(documents(4))) == ["already_there"] * 3 + ["delivered"]
    assert set(double.documents) == {(STREAM, f"e{n}") for n in range(4)}
    assert double.documents[STREAM, "e0"]["data_stream"]["namespace"] == "default"
    assert "require_data_stream=true" in double.asked[1]
    assert double.headers[1]["authorization"] == "ApiKey key"
    assert double.headers[1]["content-type"] == "application/x-ndjson"


async def test_requests_are_packed_when_asked_for(double):
    siem, _ = siem_of([double.url], compress=True)
    await siem.open()
    assert endings(await siem.deliver(documents(3, "x" * 1000))) == ["delivered"] * 3
    await siem.close()
    assert double.headers[1]["content-encoding"] == "gzip"
    assert int(double.headers[1]["content-length"]) < 1000


async def test_an_id_with_quotes_and_newlines_stays_one_line(double, siem):
    name = 'a"b\nc\u2028{"create":{}}'
    document = Document.of("events", name, {"message": "x"}, "default", 0.0)
    assert endings(await siem.deliver([document])) == ["delivered"]
    assert set(double.documents) == {(STREAM, name)}


async def test_only_busy_items_are_tried_again(double, siem):
    double.items = {"e1": [BUSY, {"status": 503}], "e2": [BAD]}
    outcomes = await siem.deliver(documents(4))
    assert endings(outcomes) == ["delivered", "delivered", "rejected", "delivered"]
    assert outcomes[2].reason == "400 document_parsing_exception: field source.ip is no ip"
    assert double.requests == [["e0", "e1", "e2", "e3"], ["e1"], ["e1"]]
    assert siem.slept == [0.5, 1.0]


async def test_what_stays_busy_comes_back(double, siem):
    double.items = {"e0": [BUSY] * 9}
    outcomes = await siem.deliver(documents(2))
    assert endings(outcomes) == ["retry", "delivered"] and "429" in outcomes[0].reason
    assert len(double.requests) == 3


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_busy_request_is_tried_again(double, siem, status):
    double.faults = [lambda _: (status, {"error": "busy"})]
    assert endings(await siem.deliver(documents(2))) == ["delivered"] * 2


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_credentials_are_away(double, siem, status):
    double.faults = [lambda _: (status, {"error": {"type": "security_exception", "reason": "for key"}})]
    with pytest.raises(RefusedError, match=str(status)) as caught:
        await siem.deliver(documents(1))
    assert "key" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (403, "security_exception", "may not write"),
        (403, "cluster_block_exception", "read-only"),
        (404, "index_not_found_exception", "run davylamp siem bootstrap"),
        (400, "index_closed_exception", "closed"),
        (400, "validation_exception", "no more shards"),
        (404, "something_new_exception", "takes no documents"),
    ],
)
async def test_a_stream_that_refuses_everything_is_away_not_a_pile_of_dead_letters(
    double, siem, status, kind, said
):
    double.items = {"e1": [{"status": status, "error": {"type": kind}}]}
    with pytest.raises(RefusedError, match=said) as caught:
        await siem.deliver(documents(2))
    assert STREAM in str(caught.value)


async def test_a_disk_past_its_flood_stage_is_waited_for_and_named(double, siem):
    double.items = {"e0": [{"status": 429, "error": {"type": "cluster_block_exception"}}] * 9}
    (outcome,) = await siem.deliver(documents(1))
    assert outcome.ending == "retry" and "flood stage" in outcome.reason


async def test_a_request_too_large_is_split(double, siem):
    double.faults = [lambda ids: (413, {}) if len(ids) > 2 else None] * 20
    assert endings(await siem.deliver(documents(9))) == ["delivered"] * 9
    assert len(double.documents) == 9


async def test_one_document_too_large_is_rejected(double, siem):
    double.faults = [lambda ids: (413, {}) if "e1" in ids else None] * 20
    outcomes = await siem.deliver(documents(3))
    assert endings(outcomes) == ["delivered", "rejected", "delivered"] and "413" in outcomes[1].reason


async def test_a_server_that_hangs_up_is_away_and_comes_back(double, siem):
    double.faults = [lambda _: (0, {})] * 20
    with pytest.raises(TargetAwayError):
        await siem.deliver(documents(1))
    assert len(double.requests) <= 2
    double.faults = []
    assert endings(await siem.deliver(documents(1))) == ["delivered"]


@pytest.mark.parametrize(
    "answer",
    [
        {"errors": False, "items": [{"create": {"status": 201}}]},
        {"errors": False},
        [],
        b"\xff not json",
    ],
)
async def test_answers_that_do_not_fit_are_away(double, siem, answer):
    double.faults = [lambda _: (200, answer)]
    with pytest.raises(TargetAwayError, match="answers for 2"):
        await siem.deliver(documents(2))


async def test_requests_stay_below_their_size(double, siem):
    batch = documents(50, "x" * 5_000)
    assert endings(await siem.deliver(batch)) == ["delivered"] * 50
    assert len(double.requests) > 3


async def test_nothing_is_sent_for_nothing(double, siem):
    assert await siem.deliver([]) == [] and double.asked == []
