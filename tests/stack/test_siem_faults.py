"""Real nodes in trouble: without templates, too busy, with small limits, killed in mid-delivery."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack

import httpx
import pytest
from parts.part import PartMissingError
from parts.tested_on import part_class
from parts.watched_siem import counted, documents, new_namespace, stored, watched

from connectors.ecs.stream import data_stream
from connectors.siem.bootstrap import apply, older_streams, standings
from connectors.siem.check import check
from connectors.siem.target import RefusedError
from daemon.roles.forward.delivery import Delivery

# Small enough that a handful of senders is too many: one write thread with one place to wait, and little
# memory for what is on its way.
TIGHT = {
    "thread_pool.write.size": "1",
    "thread_pool.write.queue_size": "1",
    "indexing_pressure.memory.limit": "700kb",
    "http.max_content_length": "600kb",
}
SENDERS = 12


@pytest.fixture(scope="module", params=["elasticsearch", "elasticsearch_8", "opensearch", "opensearch_2"])
def fresh(request, tmp_path_factory):
    """A node of its own, with small limits and without templates: it is killed."""
    try:
        node = part_class(request.param)(tmp_path_factory.mktemp(request.param), TIGHT)
        node.fetch()
    except PartMissingError as error:
        pytest.skip(f"{request.param}: {error}")
    node.start()
    yield node
    node.stop()


def delivery_of(siem):
    reports = []
    found = Delivery(
        siem,
        lambda up, detail: reports.append((up, detail)),
        lambda: 0.5,
        first_pause_s=0.1,
        longest_pause_s=1.0,
    )
    return found, reports


async def until(condition, pause):
    async with asyncio.timeout(60):
        while True:
            if condition():
                return
            await asyncio.sleep(pause)


@pytest.mark.claim("a cluster without templates is refused by name, bootstrapped twice, and checked")
async def test_a_fresh_cluster_is_refused_until_it_is_bootstrapped(fresh):
    namespace = new_namespace()
    async with watched(fresh, namespace, bootstrap=False) as (siem, watch):
        with pytest.raises(RefusedError, match="run davylamp siem bootstrap"):
            await siem.deliver(documents(2, namespace))
        assert not index_exists(fresh, namespace)
        before = {one.name: one for one in await check(siem, time.time)}
        assert before["templates"].passed is False and "missing" in before["templates"].detail
        assert before["write"].passed is False and "bootstrap" in before["write"].detail
        first = await standings(siem.cluster, siem.dialect)
        assert {standing.state for standing in first} == {"missing"}
        await apply(siem.cluster, first)
        second = await standings(siem.cluster, siem.dialect)
        assert {standing.state for standing in second} == {"same"}
        await apply(siem.cluster, second)
        assert await older_streams(siem.cluster, namespace) == []
        found = await check(siem, time.time)
        assert [one.name for one in found] == ["product", "clock", "templates", "writable", "write", "read"]
        assert all(one.passed for one in found), found
        (hit,) = stored(fresh, "audit", namespace)
        assert hit["_source"]["event"]["kind"] == "event" and "siem-check" in hit["_source"]["tags"]
        assert [outcome.ending for outcome in await siem.deliver(documents(2, namespace))] == [
            "delivered"
        ] * 2
        assert watch.statuses[200] >= 2


def index_exists(node, namespace):
    return httpx.head(f"{node.url}/{data_stream('events', namespace)}").status_code == 200


@pytest.mark.claim("a template that somebody changed is told by path, and set right again")
async def test_a_changed_template_is_named_and_set_right(fresh):
    namespace = new_namespace()
    async with watched(fresh, namespace) as (siem, _):
        change_template(fresh)
        changed = [s for s in await standings(siem.cluster, siem.dialect) if s.state == "differs"]
        assert [standing.template.name for standing in changed] == ["logs-davylamp@settings"]
        assert "template.settings.index.codec: default, shipped best_compression" in changed[0].lines
        await apply(siem.cluster, changed)
        assert {s.state for s in await standings(siem.cluster, siem.dialect)} == {"same"}


def change_template(node):
    body = {"template": {"settings": {"index.codec": "default", "index.refresh_interval": "9s"}}}
    httpx.put(f"{node.url}/_component_template/logs-davylamp@settings", json=body).raise_for_status()


@pytest.mark.claim("the operator's own component counts over the shipped ones, and stays as it is")
async def test_the_operators_own_component_counts_last_and_stays(fresh):
    namespace = new_namespace()
    async with watched(fresh, namespace) as (siem, _):
        own = {"settings": {"index.refresh_interval": "9s"}}
        if siem.dialect.product == "Elasticsearch":
            own["lifecycle"] = {"data_retention": "7d"}
        keep_own(fresh, own)
        assert {s.state for s in await standings(siem.cluster, siem.dialect)} == {"same"}
        await apply(siem.cluster, await standings(siem.cluster, siem.dialect))
        made = made_from_templates(fresh, namespace)
        assert made["settings"]["index"]["refresh_interval"] == "9s"
        assert made["settings"]["index"]["codec"] == "best_compression"
        if siem.dialect.product == "Elasticsearch":
            assert made["lifecycle"]["data_retention"] == "7d"


def keep_own(node, template):
    url = f"{node.url}/_component_template/logs-davylamp.incidents@custom"
    httpx.put(url, json={"template": template}).raise_for_status()


def made_from_templates(node, namespace):
    name = data_stream("incidents", namespace)
    return httpx.post(f"{node.url}/_index_template/_simulate_index/{name}").json()["template"]


@pytest.mark.claim("a read-only stream is named by the check and by the delivery, and taken up again")
async def test_a_read_only_stream_is_named_and_taken_up_again(fresh):
    namespace = new_namespace()
    async with watched(fresh, namespace) as (siem, _):
        await siem.deliver(documents(1, namespace))
        block(fresh, namespace, True)
        with pytest.raises(RefusedError, match="read-only"):
            await siem.deliver(documents(2, namespace))
        found = {one.name: one for one in await check(siem, time.time)}
        assert found["writable"].passed is False and namespace in found["writable"].detail
        block(fresh, namespace, None)
        endings = [outcome.ending for outcome in await siem.deliver(documents(2, namespace))]
        assert endings == ["already_there", "delivered"]


def block(node, namespace, on):
    url = f"{node.url}/{data_stream('events', namespace)}/_settings"
    httpx.put(url, json={"index.blocks.write": on}).raise_for_status()


@pytest.mark.claim("both forms of 429: only what was busy is sent again, and each document is stored once")
async def test_a_node_that_is_too_busy_gets_each_document_once(fresh):
    namespace, sent = new_namespace(), 0
    async with AsyncExitStack() as opened:
        workers = [await opened.enter_async_context(watched(fresh, namespace)) for _ in range(SENDERS)]
        watches = [watch for _, watch in workers]
        give_up = time.monotonic() + 120
        while not (any(w.whole_busy for w in watches) and any(w.item_busy for w in watches)):
            assert time.monotonic() < give_up, [watch.statuses for watch in watches]
            filler = "x" * (7000 if any(w.item_busy for w in watches) else 500)
            batches = [documents(40, namespace, filler, sent + n * 40) for n in range(SENDERS)]
            sent += 40 * SENDERS
            ended = await asyncio.gather(
                *(
                    delivery_of(siem)[0].deliver(batch)
                    for (siem, _), batch in zip(workers, batches, strict=True)
                )
            )
            assert {outcome.ending for one in ended for outcome, _ in one} == {"delivered"}
    for watch in watches:
        again = watch.whole_busy + watch.item_busy
        assert all(number == 1 + again[ident] for ident, number in watch.sent.items())
    assert counted(fresh, "events", namespace) == sent


@pytest.mark.claim("a request that the server finds too large (413) is split until it fits")
async def test_a_request_that_is_too_large_is_split(fresh):
    namespace = new_namespace()
    batch = [*documents(30, namespace, "x" * 30_000), *documents(1, namespace, "x" * 650_000, 30)]
    async with watched(fresh, namespace, max_bulk_bytes=5 * 1024 * 1024) as (siem, watch):
        outcomes = [outcome for outcome, _ in await delivery_of(siem)[0].deliver(batch)]
    assert [outcome.ending for outcome in outcomes] == ["delivered"] * 30 + ["rejected"]
    assert "413" in outcomes[-1].reason and watch.statuses[413] > 1
    assert counted(fresh, "events", namespace) == 30


@pytest.mark.claim("a node killed (SIGKILL) in the middle of a bulk: every document is stored exactly once")
async def test_a_node_killed_in_the_middle_gets_every_document_once(fresh):
    namespace = new_namespace()
    batches = [documents(200, namespace, "x" * 1000, n * 200) for n in range(40)]
    async with watched(fresh, namespace) as (siem, watch):
        delivery, reports = delivery_of(siem)

        async def deliver():
            return [ended for batch in batches for ended in await delivery.deliver(batch)]

        work = asyncio.create_task(deliver())
        await until(lambda: watch.begun >= 12, 0.0)
        fresh.kill()
        await until(lambda: any(not up for up, _ in reports), 0.01)
        assert not work.done() and "127.0.0.1" in reports[-1][1]
        fresh.start()
        endings = [outcome.ending for outcome, _ in await asyncio.wait_for(work, 120)]
    assert len(endings) == 8000 and set(endings) <= {"delivered", "already_there"}
    found = Counter(hit["_id"] for hit in stored(fresh, "events", namespace))
    assert found == Counter(document.id for batch in batches for document in batch)
    assert reports[-1] == (True, "")
