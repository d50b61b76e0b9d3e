"""One cluster behind several addresses: who answers, who is what it says, and what never shows."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from config.secret import SecretUnreadableError
from connectors.siem.cluster import Cluster
from connectors.siem.elasticsearch import identify as is_elasticsearch
from connectors.siem.opensearch import identify as is_opensearch
from connectors.siem.target import AnswerTooLargeError, NoAnswerInTimeError, RefusedError, TargetAwayError

from .conftest import OPEN

SECRET = "S-key"


async def opened(urls, identify=is_elasticsearch, timeout_s=5.0, **more):
    cluster = Cluster(
        "es", urls, authorization=lambda: f"ApiKey {SECRET}", identify=identify, timeout_s=timeout_s, **more
    )
    await cluster.open()
    return cluster


async def test_the_next_address_answers_when_one_is_away(double, second_double):
    cluster = await opened([double.url, second_double.url])
    await double.stop()
    assert (await cluster.ask("HEAD", "/x")).status == 404
    assert (await cluster.ask("HEAD", "/x")).status == 404
    assert second_double.asked == ["GET /", "HEAD /x", "HEAD /x"]
    await second_double.stop()
    await cluster.close()
    await cluster.open()
    with pytest.raises(TargetAwayError, match="no connection"):
        await cluster.ask("HEAD", "/x")
    await cluster.close()


async def test_a_busy_address_gives_way_at_the_next_request(double, second_double):
    double.others["GET /x"] = (503, {})
    cluster = await opened([double.url, second_double.url])
    assert (await cluster.ask("GET", "/x")).status == 503
    assert (await cluster.ask("GET", "/x")).status == 404
    await cluster.close()


@pytest.mark.parametrize(
    ("identify", "status", "root", "extra", "said"),
    [
        (is_elasticsearch, 200, OPEN, {}, "it is opensearch 3.9.9, not Elasticsearch"),
        (
            is_elasticsearch,
            200,
            {"version": {"number": "7.17.0"}, "tagline": "You Know, for Search"},
            {},
            "too old",
        ),
        (is_elasticsearch, 200, {"hello": 1}, {}, "does not answer as Elasticsearch"),
        (is_elasticsearch, 200, b"<html>", {}, "does not answer as Elasticsearch"),
        (is_elasticsearch, 401, {}, {"X-Elastic-Product": "Elasticsearch"}, "credential is refused"),
        (is_elasticsearch, 200, b"x" * 100_000, {}, "more than a cluster would say"),
        (
            is_opensearch,
            200,
            {"version": {"number": "9"}},
            {"X-Elastic-Product": "Elasticsearch"},
            "it is Elasticsearch",
        ),
        (is_opensearch, 200, {"version": {"number": "7.10.2"}}, {}, "does not answer as OpenSearch"),
        (is_opensearch, 403, {}, {}, "cluster:monitor/main"),
        (is_opensearch, 401, {}, {}, "credential is refused"),
        (is_opensearch, 200, {"version": {"number": "1.3", "distribution": "opensearch"}}, {}, "too old"),
    ],
)
async def test_what_is_not_the_product_is_refused_by_name(double, identify, status, root, extra, said):
    double.root, double.extra = (status, root), extra
    cluster = await opened([double.url], identify)
    with pytest.raises(RefusedError, match=said) as caught:
        await cluster.ask("POST", "/_bulk", b"")
    assert double.url in str(caught.value) and double.asked == ["GET /"]
    await cluster.close()


@pytest.mark.parametrize(
    ("identify", "status", "extra"),
    [
        (is_elasticsearch, 403, {"X-Elastic-Product": "Elasticsearch"}),
        (is_opensearch, 403, {"X-OpenSearch-Version": "OpenSearch/3.8.0 (opensearch)"}),
    ],
)
async def test_a_credential_that_may_not_see_the_version_is_enough(double, identify, status, extra):
    double.root, double.extra = (status, {}), extra
    cluster = await opened([double.url], identify)
    assert (await cluster.ask("GET", "/x")).status == 404 and cluster.version == ""
    await cluster.close()


async def test_a_starting_node_is_away_and_not_a_wrong_product(double):
    double.root, double.extra = (503, {}), {}
    cluster = await opened([double.url], is_opensearch)
    with pytest.raises(TargetAwayError, match="503") as caught:
        await cluster.ask("GET", "/x")
    assert not isinstance(caught.value, RefusedError)
    await cluster.close()


async def test_an_answer_has_a_bound(double):
    double.others["GET /x"] = (200, b"x" * 5000)
    cluster = await opened([double.url])
    with pytest.raises(AnswerTooLargeError, match="4000"):
        await cluster.ask("GET", "/x", max_bytes=4000)
    assert len((await cluster.ask("GET", "/x", max_bytes=5000)).body) == 5000
    await cluster.close()


async def test_a_packed_answer_that_nobody_asked_for_is_not_unpacked(double):
    cluster = await opened([double.url])
    await cluster.ask("HEAD", "/x")
    double.extra["Content-Encoding"] = "gzip"
    with pytest.raises(TargetAwayError, match="compressed"):
        await cluster.ask("GET", "/x")
    assert all(headers["accept-encoding"] == "identity" for headers in double.headers)
    await cluster.close()


@asynccontextmanager
async def serving(banner):
    """A server that says `banner`, waits for the caller to hang up, and is gone with its connections."""
    tasks = []

    async def serve(reader, writer):
        tasks.append(asyncio.current_task())
        writer.write(banner)
        await reader.read(-1)
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    await server.wait_closed()
    await asyncio.gather(*tasks)


async def test_no_answer_in_time_says_so():
    async with serving(b"") as url:
        cluster = await opened([url], timeout_s=0.2)
        with pytest.raises(NoAnswerInTimeError, match=r"0\.2 s"):
            await cluster.ask("GET", "/x")
        await cluster.close()


async def test_what_is_not_http_is_away_without_its_words():
    async with serving(b"SSH-2.0 secret banner\r\n") as url:
        cluster = await opened([url])
        with pytest.raises(TargetAwayError) as caught:
            await cluster.ask("GET", "/x")
        assert "secret" not in str(caught.value)
        await cluster.close()


async def test_the_credential_is_read_anew_and_never_shows(double):
    values = iter(["one", "one", "two"])
    cluster = Cluster("es", [double.url], authorization=lambda: next(values), identify=is_elasticsearch)
    await cluster.open()
    await cluster.ask("HEAD", "/x")
    assert [headers["authorization"] for headers in double.headers] == ["one", "two"]
    assert "two" not in repr(cluster)
    await cluster.close()


async def test_a_credential_that_no_header_can_hold_is_refused_without_being_shown(double):
    cluster = Cluster("es", [double.url], authorization=lambda: "S-key\r\nX: y", identify=is_elasticsearch)
    with pytest.raises(RefusedError) as caught:
        await cluster.open()
    assert SECRET not in str(caught.value)


async def test_an_unreadable_secret_is_away_by_its_file(double):
    def missing():
        raise SecretUnreadableError("/run/secrets/key: No such file or directory")

    cluster = Cluster("es", [double.url], authorization=missing, identify=is_elasticsearch)
    with pytest.raises(TargetAwayError, match="/run/secrets/key"):
        await cluster.open()


async def test_a_ca_that_is_not_there_is_named(double, tmp_path):
    with pytest.raises(TargetAwayError, match=r"ca\.pem"):
        await opened([double.url], ca_file=tmp_path / "ca.pem")


async def test_no_redirect_is_followed_with_the_credential(double, second_double):
    double.others["GET /x"] = (302, {})
    double.extra["Location"] = f"{second_double.url}/x"
    cluster = await opened([double.url])
    assert (await cluster.ask("GET", "/x")).status == 302
    assert second_double.asked == []
    await cluster.close()
