"""The Elasticsearch target against a double of the bulk endpoint (see `conftest.py`)."""

from __future__ import annotations

import random

import pytest

from config.forwarding import ElasticsearchTarget, FileTarget
from config.secret import Secret
from connectors.ecs.stream import Document
from connectors.siem.bulk import backoff_s, by_size, outcome_of
from connectors.siem.catalogue import target_of
from connectors.siem.elasticsearch import ElasticsearchSiem
from connectors.siem.file import FileSiem
from connectors.siem.target import TargetAwayError

STREAM = "logs-davylamp.events-default"
BUSY = {"status": 429, "error": {"type": "es_rejected_execution_exception"}}
BAD = {"status": 400, "error": {"type": "document_parsing_exception", "reason": "no secret here"}}


def documents(count, filler=""):
    return [
        Document.of("events", f"e{n}", {"event": {"id": f"e{n}"}, "message": filler}, "default", 0.0)
        for n in range(count)
    ]


@pytest.fixture
async def siem(double):
    slept: list[float] = []

    async def sleep(seconds):
        slept.append(seconds)

    found = ElasticsearchSiem(
        "es",
        [double.url],
        "default",
        api_key=lambda: "key",
        jitter=lambda: 1.0,
        max_bulk_bytes=64 * 1024,
        request_timeout_s=5,
        sleep=sleep,
    )
    found.slept = slept
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
    assert "require_data_stream=true" in double.queries[0]
    assert double.headers[0]["authorization"] == "ApiKey key"


async def test_only_busy_items_are_tried_again(double, siem):
    double.items = {"e1": [BUSY, {"status": 503}], "e2": [BAD]}
    outcomes = await siem.deliver(documents(4))
    assert endings(outcomes) == ["delivered", "delivered", "rejected", "delivered"]
    assert outcomes[2].reason == "400 document_parsing_exception"
    assert double.requests == [["e0", "e1", "e2", "e3"], ["e1"], ["e1"]]
    assert siem.slept == [0.5, 1.0]


async def test_what_stays_busy_comes_back(double, siem):
    double.items = {"e0": [BUSY] * 9}
    outcomes = await siem.deliver(documents(2))
    assert endings(outcomes) == ["retry", "delivered"] and "429" in outcomes[0].reason
    assert len(double.requests) == 5


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_busy_request_is_tried_again(double, siem, status):
    double.faults = [lambda _: (status, {"error": "busy"})]
    assert endings(await siem.deliver(documents(2))) == ["delivered"] * 2


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_credentials_are_away(double, siem, status):
    double.faults = [lambda _: (status, {"error": {"type": "security_exception"}})]
    with pytest.raises(TargetAwayError, match=str(status)) as caught:
        await siem.deliver(documents(1))
    assert "key" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 403, "error": {"type": "security_exception"}},
        {"status": 404, "error": {"type": "index_not_found_exception"}},
    ],
)
async def test_a_stream_that_refuses_everything_is_away_not_a_pile_of_dead_letters(double, siem, answer):
    double.items = {"e0": [answer]}
    with pytest.raises(TargetAwayError, match=answer["error"]["type"]):
        await siem.deliver(documents(2))


async def test_a_request_too_large_is_split(double, siem):
    def limit(ids):
        return (413, {}) if len(ids) > 2 else None

    double.faults = [limit] * 20
    assert endings(await siem.deliver(documents(9))) == ["delivered"] * 9
    assert len(double.documents) == 9


async def test_one_document_too_large_is_rejected(double, siem):
    double.faults = [lambda ids: (413, {}) if "e1" in ids else None] * 20
    assert endings(await siem.deliver(documents(3))) == ["delivered", "rejected", "delivered"]


async def test_a_server_without_require_data_stream_is_asked_without(double, siem):
    double.faults = [lambda _: (400, {"error": "unrecognized parameter: [require_data_stream]"})]
    assert endings(await siem.deliver(documents(1))) == ["delivered"]
    await siem.deliver(documents(1))
    assert ["require_data_stream" in query for query in double.queries] == [True, False, False]


async def test_a_server_that_hangs_up_is_away_and_comes_back(double, siem):
    double.faults = [lambda _: (0, {})] * 20
    with pytest.raises(TargetAwayError):
        await siem.deliver(documents(1))
    assert len(double.requests) <= 2
    double.faults = []
    assert endings(await siem.deliver(documents(1))) == ["delivered"]


async def test_a_server_that_is_gone_is_away(double, siem):
    await double.stop()
    await siem.close()
    await siem.open()
    with pytest.raises(TargetAwayError, match="es: "):
        await siem.deliver(documents(1))


async def test_answers_that_do_not_fit_are_away(double, siem):
    double.faults = [lambda _: (200, {"errors": False, "items": [{"create": {"status": 201}}]})]
    with pytest.raises(TargetAwayError, match="1 answers for 2"):
        await siem.deliver(documents(2))


async def test_requests_stay_below_their_size(double, siem):
    batch = documents(50, "x" * 5_000)
    assert endings(await siem.deliver(batch)) == ["delivered"] * 50
    assert len(double.requests) > 3


async def test_nothing_is_sent_for_nothing(double, siem):
    assert await siem.deliver([]) == [] and double.requests == []


def test_a_failure_store_is_a_rejection():
    outcome = outcome_of({"create": {"status": 201, "failure_store": "used"}})
    assert outcome.ending == "rejected" and "failure store" in outcome.reason


@pytest.mark.parametrize(
    "item", [None, {}, {"create": {}}, {"create": {"status": "x"}}, {"index": {"status": 201}}]
)
def test_an_answer_that_says_nothing_is_tried_again(item):
    assert outcome_of(item).ending == "retry"


def test_waiting_grows_to_a_limit():
    assert [backoff_s(n, 0.0) for n in (1, 2, 3, 20)] == [0.25, 0.5, 1.0, 15.0]
    assert backoff_s(20, 1.0) == 30.0


def test_parts_hold_every_index_once_in_order():
    batch = documents(40, "x" * 900)
    parts = list(by_size(batch, range(40), 5_000))
    assert [index for part in parts for index in part] == list(range(40)) and len(parts) > 5
    assert list(by_size(batch[:1], [0], 10)) == [[0]]


def test_settings_make_targets(tmp_path):
    made = target_of(FileTarget(folder=tmp_path), "prod", random.random)
    assert isinstance(made, FileSiem) and made.name == "file"
    made = target_of(ElasticsearchTarget(), "prod", random.random)
    assert isinstance(made, ElasticsearchSiem) and made.name == "elasticsearch"


async def test_an_unreadable_key_is_away_by_its_file(tmp_path):
    settings = ElasticsearchTarget(api_key=Secret(file=tmp_path / "missing"))
    with pytest.raises(TargetAwayError, match="missing"):
        await target_of(settings, "prod", random.random).open()
